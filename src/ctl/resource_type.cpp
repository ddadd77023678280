#include "ctl/resource_type.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cctype>

#include "api/computed_columns.h"
#include "ctl/go_text.h"

namespace margay::ctl {
namespace {

using Cell = TableColumn::Cell;
using Headings = std::vector<std::string>;

constexpr std::string_view k_api_version = "projectcalico.org/v3";
constexpr size_t k_most_of_nets = 80;  // characters of a list of nets

// ---- cells -----------------------------------------------------------------------------------

// `otherwise`: what is shown where the object says nothing.
Cell text(std::string path, std::string otherwise = {}) {
  return [path = std::move(path), otherwise = std::move(otherwise)](const json::object& object,
                                                                    const TableFacts&) {
    const auto value = api::value_at(object, path);
    if (value.is_null() || (value.is_string() && value.get_string().empty())) return otherwise;
    return go_text(value);
  };
}

// A number that Go holds as one with a fraction, so that a million is 1e+06.
std::string order_of(const json::object& policy, const TableFacts&) {
  const auto order = api::value_at(policy, ".spec.order");
  return order.is_int64() ? go_text(static_cast<double>(order.get_int64())) : go_text(order);
}

Cell flag(std::string path) { return text(std::move(path), "false"); }

Cell joined(std::string path, size_t most = 0) {
  return [path = std::move(path), most](const json::object& object, const TableFacts&) {
    return go_join(api::value_at(object, path), ",", most);
  };
}

Cell either(std::string path, std::string other) {
  return [first = text(std::move(path)), second = text(std::move(other))](
             const json::object& object, const TableFacts& facts) {
    auto shown = first(object, facts);
    return shown.empty() ? second(object, facts) : shown;
  };
}

std::string peers_of(const json::object& peer, const TableFacts& facts) {
  auto shown = either(".spec.node", ".spec.nodeSelector")(peer, facts);
  return shown.empty() ? "(global)" : shown;
}

// A node that is no router has none; one without a number of its own, the cluster's.
std::string as_number_of(const json::object& node, const TableFacts& facts) {
  if (api::value_at(node, ".spec.bgp").is_null()) return {};
  auto shown = text(".spec.bgp.asNumber")(node, facts);
  return shown.empty() ? fmt::format("({})", facts.default_as_number()) : shown;
}

// As a list of pairs: "{10.0.0.1 192.0.2.1}".
std::string nats_of(const json::object& endpoint, const TableFacts&) {
  std::string shown;
  const auto nats = api::value_at(endpoint, ".spec.ipNATs");
  if (const auto* list = nats.if_array())
    for (const auto& nat : *list)
      shown += fmt::format("{}{{{} {}}}", shown.empty() ? "" : ",",
                           go_text(api::value_at(nat, ".internalIP")),
                           go_text(api::value_at(nat, ".externalIP")));
  return shown;
}

// ---- the types of Calico v3.19 ------------------------------------------------------------------

ResourceType type(std::string_view kind, Headings names, Headings headings, Headings wide,
                  std::vector<TableColumn> columns) {
  ResourceType made{.kind = api::find_kind(k_api_version, kind),
                    .names = std::move(names),
                    .headings = std::move(headings),
                    .wide_headings = std::move(wide),
                    .columns = {{"NAME", text(".metadata.name")}}};
  if (made.kind->namespaced) made.columns.push_back({"NAMESPACE", text(".metadata.namespace")});
  std::ranges::move(columns, std::back_inserter(made.columns));
  return made;
}

std::vector<TableColumn> policy_columns() {
  return {{"ORDER", order_of}, {"SELECTOR", text(".spec.selector")}};
}

std::vector<TableColumn> set_columns() { return {{"NETS", joined(".spec.nets", k_most_of_nets)}}; }

std::vector<ResourceType> routing_types() {
  const Headings configuration{"NAME", "LOGSEVERITY", "MESHENABLED", "ASNUMBER"};
  const Headings peer{"NAME", "PEERIP", "NODE", "ASN"};
  return {
      type("BGPConfiguration", {"bgpconfiguration", "bgpconfigurations", "bgpconfig", "bgpconfigs"},
           configuration, configuration,
           {{"LOGSEVERITY", text(".spec.logSeverityScreen")},
            {"MESHENABLED", text(".spec.nodeToNodeMeshEnabled", "-")},
            {"ASNUMBER", text(".spec.asNumber", "-")}}),
      type("BGPPeer", {"bgppeer", "bgppeers", "bgpp", "bgpps", "bp", "bps"}, peer, peer,
           {{"PEERIP", text(".spec.peerIP")},
            {"NODE", peers_of},
            {"ASN", text(".spec.asNumber", "0")}})};
}

std::vector<ResourceType> configuration_types() {
  const Headings information{"NAME", "CLUSTERGUID", "CLUSTERTYPE", "CALICOVERSION",
                             "DATASTOREREADY"};
  return {type("ClusterInformation",
               {"clusterinformation", "clusterinformations", "clusterinfo", "clusterinfos"},
               information, information,
               {{"CLUSTERGUID", text(".spec.clusterGUID")},
                {"CLUSTERTYPE", text(".spec.clusterType")},
                {"CALICOVERSION", text(".spec.calicoVersion")},
                {"DATASTOREREADY", text(".spec.datastoreReady", "<nil>")}}),
          type("FelixConfiguration",
               {"felixconfiguration", "felixconfigurations", "felixconfig", "felixconfigs"},
               {"NAME"}, {"NAME"}, {}),
          type("KubeControllersConfiguration",
               {"kubecontrollersconfiguration", "kubecontrollersconfigurations",
                "kubecontrollersconfig", "kubecontrollersconfigs"},
               {"NAME"}, {"NAME"}, {})};
}

std::vector<ResourceType> policy_types() {
  const Headings wide_policy{"NAME", "ORDER", "SELECTOR"};
  return {
      type("GlobalNetworkPolicy", {"globalnetworkpolicy", "globalnetworkpolicies", "gnp", "gnps"},
           {"NAME"}, wide_policy, policy_columns()),
      type("GlobalNetworkSet", {"globalnetworkset", "globalnetworksets", "gnetsets"}, {"NAME"},
           {"NAME", "NETS"}, set_columns()),
      type("NetworkPolicy",
           {"networkpolicy", "networkpolicies", "policy", "np", "policies", "pol", "pols"},
           {"NAME"}, wide_policy, policy_columns()),
      type("NetworkSet", {"networkset", "networksets", "netsets"}, {"NAME"}, {"NAME", "NETS"},
           set_columns()),
      type("Profile", {"profile", "profiles", "pro", "pros"}, {"NAME"}, {"NAME", "LABELS"},
           {{"LABELS", joined(".spec.labelsToApply")}})};
}

ResourceType workload_endpoint_type() {
  return type("WorkloadEndpoint", {"workloadendpoint", "workloadendpoints", "wep", "weps"},
              {"WORKLOAD", "NODE", "NETWORKS", "INTERFACE"},
              {"NAME", "WORKLOAD", "NODE", "NETWORKS", "INTERFACE", "PROFILES", "NATS"},
              {{"NODE", text(".spec.node")},
               {"ORCHESTRATOR", text(".spec.orchestrator")},
               {"WORKLOAD", either(".spec.workload", ".spec.pod")},
               {"NETWORKS", joined(".spec.ipNetworks")},
               {"NATS", nats_of},
               {"PROFILES", joined(".spec.profiles")},
               {"INTERFACE", text(".spec.interfaceName")}});
}

std::vector<ResourceType> endpoint_types() {
  return {type("HostEndpoint", {"hostendpoint", "hostendpoints", "hep", "heps"}, {"NAME", "NODE"},
               {"NAME", "NODE", "INTERFACE", "IPS", "PROFILES"},
               {{"NODE", text(".spec.node")},
                {"INTERFACE", text(".spec.interfaceName")},
                {"IPS", joined(".spec.expectedIPs")},
                {"PROFILES", joined(".spec.profiles")}}),
          type("IPPool", {"ippool", "ippools", "ipp", "ipps", "pool", "pools"},
               {"NAME", "CIDR", "SELECTOR"},
               {"NAME", "CIDR", "NAT", "IPIPMODE", "VXLANMODE", "DISABLED", "SELECTOR"},
               {{"CIDR", text(".spec.cidr")},
                {"NAT", flag(".spec.natOutgoing")},
                {"IPIPMODE", text(".spec.ipipMode", "Never")},
                {"VXLANMODE", text(".spec.vxlanMode", "Never")},
                {"DISABLED", flag(".spec.disabled")},
                {"SELECTOR", text(".spec.nodeSelector")}}),
          type("Node", {"node", "nodes", "no", "nos"}, {"NAME"}, {"NAME", "ASN", "IPV4", "IPV6"},
               {{"ASN", as_number_of},
                {"IPV4", text(".spec.bgp.ipv4Address")},
                {"IPV6", text(".spec.bgp.ipv6Address")}}),
          workload_endpoint_type()};
}

// ---- later ones ---------------------------------------------------------------------------------

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

std::string lower(std::string_view text) {
  std::string made(text);
  std::ranges::transform(made, made.begin(), [](unsigned char c) { return std::tolower(c); });
  return made;
}

ResourceType described_type(const api::Kind& kind) {
  std::vector<TableColumn> columns;
  Headings headings{"NAME"}, wide{"NAME"};
  for (const auto& column : kind.columns) {
    if (column.type == "date" || column.json_path.empty()) continue;
    const auto heading = upper(column.name);
    if (column.priority == 0) headings.push_back(heading);
    wide.push_back(heading);
    columns.push_back({heading, joined(column.json_path)});
  }
  Headings names{lower(kind.name), kind.plural};
  std::ranges::copy(kind.short_names, std::back_inserter(names));
  return type(kind.name, std::move(names), std::move(headings), std::move(wide),
              std::move(columns));
}

std::vector<ResourceType> make_types() {
  std::vector<ResourceType> types;
  for (auto made : {routing_types, configuration_types, policy_types, endpoint_types}) {
    auto some = made();
    std::ranges::move(some, std::back_inserter(types));
  }
  for (const auto& kind : api::kinds()) {
    if (kind.api_version() != k_api_version) continue;
    const auto is_of_kind = [&](const ResourceType& known) { return known.kind == &kind; };
    if (std::ranges::none_of(types, is_of_kind)) types.push_back(described_type(kind));
  }
  std::ranges::sort(types, {}, [](const ResourceType& one) { return one.kind->name; });
  return types;
}

}  // namespace

const TableColumn* ResourceType::find_column(std::string_view heading) const {
  const auto found = std::ranges::find(columns, heading, &TableColumn::heading);
  return found == columns.end() ? nullptr : &*found;
}

std::span<const ResourceType> resource_types() {
  static const auto types = make_types();
  return types;
}

const ResourceType* find_resource_type(std::string_view name) {
  const auto wanted = lower(name);
  for (const auto& type : resource_types())
    if (std::ranges::find(type.names, wanted) != type.names.end()) return &type;
  return nullptr;
}

const ResourceType* find_resource_type(std::string_view api_version, std::string_view kind) {
  for (const auto& type : resource_types())
    if (type.kind->name == kind && type.kind->api_version() == api_version) return &type;
  return nullptr;
}

std::string identifier(const ResourceType& type, std::string_view ns, std::string_view name) {
  return ns.empty() ? fmt::format("{}({})", type.kind->name, name)
                    : fmt::format("{}({}/{})", type.kind->name, ns, name);
}

}  // namespace margay::ctl
