// FelixConfiguration and ClusterInformation.

#include "api/calico/configuration.h"

#include "api/calico/common.h"
#include "api/calico/felix_settings.h"
#include "api/calico/kinds.h"

namespace margay::api {

namespace {

BoundField<FelixConfiguration> settings_field() {
  auto bound = BoundField<FelixConfiguration>(keep("spec", calico::felix_spec(), "The settings."));
  const auto spec = bound.described.schema;
  bound.read = [spec](const json::value& value, FelixConfiguration& into) -> base::Result<> {
    if (!value.is_object()) return wrong_type(value, "an object");
    into.settings = calico::to_settings(*spec, value.get_object());
    return {};
  };
  bound.write = [spec](const FelixConfiguration& from, bool, json::object& object) {
    object["spec"] = calico::from_settings(*spec, from.settings);
  };
  return std::move(bound).default_to(json::object());
}

Described<ClusterInformationSpec> cluster_information_spec() {
  using Spec = ClusterInformationSpec;
  return object<Spec>(
      "projectcalico.org.v3.ClusterInformationSpec", "About the cluster.",
      {field("clusterGUID", &Spec::cluster_guid, string(), "The cluster's id."),
       field("clusterType", &Spec::cluster_type, string(), "What it is made of, by commas."),
       field("calicoVersion", &Spec::calico_version, string(), "The version it runs."),
       field("datastoreReady", &Spec::datastore_ready, boolean(),
             "false locks the store: agents keep what they have and make no changes."),
       field("variant", &Spec::variant, string(), "Which build it runs.")});
}

}  // namespace

template <>
const Resource<FelixConfiguration>& resource<FelixConfiguration>() {
  static const auto described = describe_kind<FelixConfiguration>(
      calico::kind("FelixConfiguration", "felixconfigurations",
                   {"felixconfig", "felixconfigs", "fconfig", "fconfigs"}, false,
                   "Settings of the node agents: of all of them under the name default, of one "
                   "node's under node.<name>.",
                   {}),
      formats::dns_subdomain, {settings_field()});
  return described;
}

template <>
const Resource<ClusterInformation>& resource<ClusterInformation>() {
  static const auto described = describe_kind<ClusterInformation>(
      calico::kind("ClusterInformation", "clusterinformations", {"clusterinfo", "clusterinfos"},
                   false, "About the cluster; there is one, named default.",
                   {{"GUID", "string", ".spec.clusterGUID", "The cluster's id."},
                    {"Type", "string", ".spec.clusterType", "What it is made of."},
                    {"Version", "string", ".spec.calicoVersion", "The version it runs."},
                    {"Ready", "boolean", ".spec.datastoreReady", "Whether changes are made."}}),
      calico::only_default,
      {field("spec", &ClusterInformation::spec, cluster_information_spec(), "About the cluster.")
           .default_to(json::object())});
  return described;
}

namespace calico {

std::vector<Kind> configuration_kinds() {
  return {resource<FelixConfiguration>().kind, resource<ClusterInformation>().kind};
}

}  // namespace calico

}  // namespace margay::api

MARGAY_INSTANTIATE_CODEC(margay::api::FelixConfiguration);
MARGAY_INSTANTIATE_CODEC(margay::api::ClusterInformation);
