#include "ipam/inhabitants.h"

#include <algorithm>

#include "api/calico.h"
#include "api/codec.h"
#include "api/json_path.h"
#include "api/kubernetes.h"
#include "base/text.h"
#include "ipam/pages.h"

namespace margay::ipam {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::IPAddress;
using base::Result;

constexpr const char* k_nodes = "nodes";
constexpr const char* k_calico_nodes = "nodes.projectcalico.org";
constexpr const char* k_workload_endpoints = "workloadendpoints.projectcalico.org";

Result<json::object> object_of(const store::Entry& entry) {
  MARGAY_TRY(auto value, api::parse_json(entry.value));
  if (value.is_object()) return std::move(value.get_object());
  return base::fail(ErrorCode::internal,
                    entry.key.resource + " " + entry.key.name + ": not an object");
}

// By a list: that an object is not there must be the answer of somebody who knows, not a "not
// found" of whoever is in between. A resource that is not served has no objects.
Result<std::optional<store::Entry>> find_one(store::Store& store, store::Scope scope) {
  const std::string name = scope.name, resource = scope.resource;
  auto list = store.list(scope);
  const bool is_ours = resource != k_nodes && resource != "pods";
  if (!list && is_ours && list.error().code == ErrorCode::not_found) return std::nullopt;
  if (!list) return base::fail(std::move(list).error().wrap(resource + " " + name));
  for (auto& entry : list->entries)
    if (entry.key.name == name) return std::optional(std::move(entry));
  return std::nullopt;
}

// ---- nodes ----------------------------------------------------------------------------------

// The first reference to Kubernetes; empty where there is none, or it cannot be read.
std::string kubernetes_name(const store::Entry& calico_node) {
  const auto value = api::parse_json(calico_node.value);
  const auto node = value ? api::decode<api::CalicoNode>(*value) : base::fail(value.error());
  if (!node) return {};
  const auto& references = node->spec.orch_refs;
  const auto found = std::ranges::find(references, "k8s", &api::OrchRef::orchestrator);
  return found == references.end() ? std::string() : found->node_name;
}

bool is_silent(const store::Entry& node) {
  const auto object = object_of(node);
  if (!object) return true;
  return std::ranges::any_of(api::list_at(*object, {"status", "conditions"}), [](const auto& each) {
    const auto* condition = each.if_object();
    return condition != nullptr && api::text_at(*condition, {"type"}) == "Ready" &&
           api::text_at(*condition, {"status"}) != "True";
  });
}

// A prefix length may follow: it is of the network that the address is in.
Result<IPAddress> address_in(std::string_view text) {
  return IPAddress::parse(text.substr(0, text.find('/')));
}

void add_address(std::set<IPAddress>& addresses, std::string_view text) {
  if (const auto address = address_in(text)) addresses.insert(*address);
}

void add_listed(std::set<IPAddress>& addresses, const json::object& node, api::JsonPath list) {
  for (const auto& each : api::list_at(node, list))
    if (const auto* address = each.if_object())
      add_address(addresses, api::text_at(*address, {"address"}));
}

// Of a Node of either kind; a prefix length may follow.
void add_addresses_of(std::set<IPAddress>& addresses, const store::Entry& node) {
  const auto object = object_of(node);
  if (!object) return;
  const auto add = [&](api::JsonPath path) { add_address(addresses, api::text_at(*object, path)); };
  add({"spec", "bgp", "ipv4Address"});
  add({"spec", "bgp", "ipv6Address"});
  add({"spec", "bgp", "ipv4IPIPTunnelAddr"});
  add({"spec", "ipv4VXLANTunnelAddr"});
  add({"spec", "ipv6VXLANTunnelAddr"});
  add({"spec", "wireguard", "interfaceIPv4Address"});
  add_listed(addresses, *object, {"spec", "addresses"});
  add_listed(addresses, *object, {"status", "addresses"});
}

// `calico_node`: the Kubernetes name that it gives. `find`: whether the Kubernetes node of a name
// is silent, or nothing when there is none.
template <typename Find>
Result<NodeView> view_of(const std::string& name, const std::optional<std::string>& calico_node,
                         Find&& find) {
  NodeView view{.kubernetes_name = calico_node.value_or(name),
                .has_calico_node = calico_node.has_value()};
  if (view.kubernetes_name.empty()) {
    view.state = NodeState::unclear;
    return view;
  }
  MARGAY_TRY(const std::optional<bool> silent, find(view.kubernetes_name));
  if (silent) view.state = *silent ? NodeState::silent : NodeState::present;
  return view;
}

// ---- pods -----------------------------------------------------------------------------------

// Nothing when there is something that cannot be read.
class Told {
 public:
  void add(std::string_view text) {
    if (text.empty()) return;
    if (const auto address = address_in(text))
      addresses_.insert(*address);
    else
      is_readable_ = false;
  }
  void add_networks(std::string_view text) {
    if (text.empty()) return;
    const auto networks = api::parse_json(text);
    is_readable_ = is_readable_ && networks && networks->is_array();
    if (!is_readable_) return;
    for (const auto& network : networks->get_array()) add_network(network);
  }
  bool is_readable() const { return is_readable_; }
  const std::set<IPAddress>& addresses() const { return addresses_; }

 private:
  void add_network(const json::value& network) {
    const auto* object = network.if_object();
    if (object == nullptr) return;
    for (const auto& address : api::list_at(*object, {"ips"}))
      address.is_string() ? add(std::string_view(address.get_string())) : spoil();
  }
  void spoil() { is_readable_ = false; }

  std::set<IPAddress> addresses_;
  bool is_readable_ = true;
};

Told told_by(const api::kubernetes::Pod& pod) {
  Told told;
  told.add(pod.status.pod_ip);
  for (const auto& address : pod.status.pod_ips) told.add(address);
  const auto annotation = [&](const char* name) -> std::string_view {
    const auto found = pod.metadata.annotations.find(name);
    return found == pod.metadata.annotations.end() ? std::string_view() : found->second;
  };
  told.add(annotation("cni.projectcalico.org/podIP"));
  for (const auto part : base::split_trimmed(annotation("cni.projectcalico.org/podIPs"), ','))
    told.add(part);
  told.add_networks(annotation("k8s.v1.cni.cncf.io/network-status"));
  told.add_networks(annotation("k8s.v1.cni.cncf.io/networks-status"));
  return told;
}

Result<api::kubernetes::Pod> read_pod(const store::Entry& entry) {
  MARGAY_TRY(const auto value, api::parse_json(entry.value));
  return api::decode<api::kubernetes::Pod>(value);
}

}  // namespace

Result<std::optional<store::Entry>> find_calico_node(store::Store& store, const std::string& name) {
  return find_one(store, {.resource = k_calico_nodes, .name = name});
}

Result<NodeView> look_at_node(store::Store& store, const std::string& name) {
  MARGAY_TRY(const auto calico_node, find_calico_node(store, name));
  const auto find = [&](const std::string& kubernetes) -> Result<std::optional<bool>> {
    MARGAY_TRY(const auto node, find_one(store, {.resource = k_nodes, .name = kubernetes}));
    if (!node) return std::nullopt;
    return is_silent(*node);
  };
  return view_of(name, calico_node ? std::optional(kubernetes_name(*calico_node)) : std::nullopt,
                 find);
}

PodUse use_by_pod(const store::Entry& entry, std::span<const IPAddress> addresses) {
  const auto pod = read_pod(entry);
  if (!pod) return PodUse::in_use;
  // An annotation may have been copied from another pod's: before there is a status it says
  // nothing.
  if (pod->status.pod_ip.empty() && pod->status.pod_ips.empty()) return PodUse::in_use;
  const Told told = told_by(*pod);
  if (!told.is_readable() || told.addresses().empty()) return PodUse::in_use;
  const bool has_one = std::ranges::any_of(
      addresses, [&](const IPAddress& address) { return told.addresses().contains(address); });
  return has_one ? PodUse::in_use : PodUse::elsewhere;
}

Result<std::optional<PodUse>> look_at_pod(store::Store& store, const std::string& ns,
                                          const std::string& name,
                                          std::span<const IPAddress> addresses) {
  MARGAY_TRY(const auto pod, find_one(store, {.resource = "pods", .ns = ns, .name = name}));
  if (!pod) return std::nullopt;
  return use_by_pod(*pod, addresses);
}

Result<> Inhabitants::add_workload_endpoint(const store::Entry& entry) {
  const std::string what = "WorkloadEndpoint " + entry.key.ns + "/" + entry.key.name;
  const auto value = api::parse_json(entry.value);
  if (!value) return base::fail(value.error().wrap(what));
  const auto endpoint = api::decode<api::WorkloadEndpoint>(*value);
  if (!endpoint) return base::fail(endpoint.error().wrap(what));
  occupied_.insert(endpoint->spec.node);
  for (const auto& network : endpoint->spec.ip_networks) {
    const auto address = address_in(network);
    if (!address) return base::fail(address.error().wrap(what));
    addresses_.insert(*address);
  }
  return {};
}

Result<Inhabitants> Inhabitants::load(store::Store& store) {
  Inhabitants all;
  std::map<std::string, std::set<IPAddress>> own;  // of Calico Nodes
  const auto unless_missing = [](Result<> read) {
    return !read && read.error().code == ErrorCode::not_found ? Result<>{} : read;
  };
  MARGAY_CHECK(unless_missing(for_each_entry(
      store, {.resource = k_calico_nodes}, [&](const store::Entry& node) -> Result<> {
        all.kubernetes_names_.emplace(node.key.name, kubernetes_name(node));
        add_addresses_of(own[node.key.name], node);
        return {};
      })));
  MARGAY_CHECK(
      for_each_entry(store, {.resource = k_nodes}, [&](const store::Entry& node) -> Result<> {
        all.is_silent_.emplace(node.key.name, is_silent(node));
        add_addresses_of(all.addresses_, node);
        return {};
      }));
  MARGAY_CHECK(unless_missing(
      for_each_entry(store, {.resource = k_workload_endpoints},
                     [&](const store::Entry& entry) { return all.add_workload_endpoint(entry); })));
  for (auto& [name, addresses] : own)
    if (all.node(name).state != NodeState::gone) all.addresses_.merge(addresses);
  return all;
}

NodeView Inhabitants::node(const std::string& name) const {
  const auto named = kubernetes_names_.find(name);
  const auto calico_node =
      named == kubernetes_names_.end() ? std::nullopt : std::optional(named->second);
  const auto find = [&](const std::string& kubernetes) -> Result<std::optional<bool>> {
    const auto found = is_silent_.find(kubernetes);
    return found == is_silent_.end() ? std::nullopt : std::optional(found->second);
  };
  return view_of(name, calico_node, find).value();
}

std::vector<std::string> Inhabitants::calico_nodes() const {
  std::vector<std::string> names;
  names.reserve(kubernetes_names_.size());
  for (const auto& [name, kubernetes] : kubernetes_names_) names.push_back(name);
  return names;
}

bool Inhabitants::has_any(std::span<const IPAddress> addresses) const {
  return std::ranges::any_of(addresses, [&](const IPAddress& address) { return has(address); });
}

}  // namespace margay::ipam
