// Calico v3.19's custom resources that are the stored form of projectcalico.org/v3.

#include <algorithm>
#include <array>
#include <iterator>

#include "api/calico/kinds.h"
#include "api/schema.h"

namespace margay::api::calico {

namespace {

constexpr auto k_stored = std::to_array<std::string_view>(
    {"networkpolicies", "globalnetworkpolicies", "networksets", "globalnetworksets",
     "hostendpoints", "ippools", "felixconfigurations", "clusterinformations", "bgpconfigurations",
     "bgppeers", "kubecontrollersconfigurations"});

// The fields with another apiVersion, and no rules: objects are judged as the kind that they are.
std::shared_ptr<const Schema> form_of(const Schema& shown, const Kind& kind) {
  auto schema = std::make_shared<Schema>(shown);
  schema->name = kind.group + "." + kind.version + "." + kind.name;
  schema->normalizers.clear();
  schema->checks.clear();
  schema->update_checks.clear();
  for (auto& field : schema->fields) {
    if (field.name != "apiVersion") continue;
    auto constant = std::make_shared<Schema>(*field.schema);
    constant->supported_values = {kind.api_version()};
    field.schema = std::move(constant);
  }
  return schema;
}

Kind stored_form(const Kind& shown) {
  Kind kind = shown;
  kind.shows = shown.resource();
  kind.group = "crd.projectcalico.org";
  kind.version = "v1";
  kind.short_names.clear();
  kind.doc = "A " + shown.name + " of projectcalico.org/v3 as Calico stores it.";
  kind.columns = {{"Age", "date", ".metadata.creationTimestamp", "Time since creation."}};
  kind.schema = form_of(*shown.schema, kind);
  return kind;
}

}  // namespace

std::vector<Kind> stored_kinds() {
  std::vector<Kind> out;
  for (auto* family : {policy_kinds, endpoint_kinds, networking_kinds, configuration_kinds,
                       bgp_kinds, controller_kinds})
    for (const Kind& kind : family())
      if (std::ranges::find(k_stored, kind.plural) != k_stored.end())
        out.push_back(stored_form(kind));
  return out;
}

}  // namespace margay::api::calico
