#include "policy/graph.h"

#include <utility>

#include "policy/graph/active_rules.h"
#include "policy/graph/endpoint_programs.h"
#include "policy/graph/host_endpoint_interfaces.h"
#include "policy/graph/ip_sets.h"
#include "policy/graph/routes.h"
#include "policy/graph/services.h"
#include "policy/graph/tracked.h"
#include "policy/graph/tunnels.h"
#include "policy/graph/workload_owners.h"

namespace margay::policy {
namespace {

std::string item_id(const WorkloadKey& key) { return "workload/" + key.id(); }
std::string item_id(const HostEndpointKey& key) { return "host/" + key.id(); }
std::string item_id(const NetworkSetKey& key) { return "set/" + key.id(); }

std::vector<Prefix> as_nets(const std::vector<IPAddress>& addresses) {
  std::vector<Prefix> nets;
  nets.reserve(addresses.size());
  for (const IPAddress& address : addresses) nets.emplace_back(address);
  return nets;
}

// Appends the updates of a difference as deltas.
template <typename Update>
void append_updates(std::vector<Delta>& deltas, auto& difference) {
  for (auto& [key, value] : difference.updated) deltas.emplace_back(Update{std::move(value)});
}
// The same for rules, which carry their key.
template <typename Update>
void append_rules(std::vector<Delta>& deltas, auto& difference) {
  for (auto& [key, value] : difference.updated)
    deltas.emplace_back(Update{key, std::move(value.rules)});
}
void append_unprogrammed(std::vector<Delta>& deltas, auto difference) {
  for (auto& [key, value] : difference.updated)
    deltas.emplace_back(UnprogrammedUpdate{std::move(value)});
  for (const auto& key : difference.removed) deltas.emplace_back(UnprogrammedRemove{key});
}
template <typename Remove>
void append_removals(std::vector<Delta>& deltas, const auto& keys) {
  for (const auto& key : keys) deltas.emplace_back(Remove{key});
}

}  // namespace

// The wiring: model changes go to the nodes they concern; a flush lets each node work out what has
// changed, from endpoints (which say what rules are needed) over rules (which say what sets are
// needed) to sets, and puts the differences in order.
class Graph::Impl {
 public:
  Impl(std::string node, const WorkloadInterfaces& workload_interfaces, const RulesBudget& budget,
       RouteSource route_source);

  void operator()(const Change<std::string, Tier>& change);
  void operator()(const Change<PolicyKey, Policy>& change);
  void operator()(const Change<std::string, Profile>& change);
  void operator()(const Change<WorkloadKey, WorkloadEndpoint>& change);
  void operator()(const Change<HostEndpointKey, HostEndpoint>& change);
  void operator()(const Change<NetworkSetKey, NetworkSet>& change);
  void operator()(const Change<std::string, IPPool>& change);
  void operator()(const Change<std::string, Host>& change);
  void operator()(const Change<Prefix, Block>& change);
  void operator()(const Change<std::string, HostInterface>& change);
  void operator()(const Change<ServiceKey, Service>& change);
  void operator()(const Change<EndpointSliceKey, EndpointSlice>& change);
  // What is only staged is in no program.
  void operator()(const Change<PolicyKey, StagedPolicy>&) {}

  void on_in_sync() { in_sync_ = true; }
  std::vector<Delta> flush();
  Counts counts() const;

 private:
  // Gives each local endpoint what it owns, and to the nodes that program it.
  void resolve_owners();
  // Which policies deny because their namespace has no place for them.
  void resolve_shares();

  std::string node_;
  const RouteSource route_source_;
  bool in_sync_ = false;
  bool told_in_sync_ = false;
  size_t workload_count_ = 0, host_endpoint_count_ = 0;  // in the whole cluster

  IPSets sets_;
  NamespaceShares shares_;
  ActiveRules<PolicyKey> policies_{RulesOf::policy, sets_, &shares_};
  ActiveRules<std::string> profiles_{RulesOf::profile, sets_};
  EndpointPrograms endpoints_{policies_, profiles_, shares_};
  WorkloadOwners workload_owners_;
  HostEndpointInterfaces host_endpoints_;
  Routes routes_;
  Services services_;
  Tunnels tunnels_;
  Tracked<std::string, IPPool> pools_;
  Tracked<std::string, Host> hosts_;
};

Graph::Impl::Impl(std::string node, const WorkloadInterfaces& workload_interfaces,
                  const RulesBudget& budget, RouteSource route_source)
    : node_(std::move(node)),
      route_source_(route_source),
      shares_(budget, sets_),
      workload_owners_(workload_interfaces),
      host_endpoints_(workload_interfaces),
      routes_(node_),
      services_(node_),
      tunnels_(node_) {
  (*this)(Change<std::string, Profile>{std::string(k_default_allow_profile), std::nullopt});
}

void Graph::Impl::operator()(const Change<std::string, Tier>& change) {
  if (change.value)
    endpoints_.set_tier(change.key, *change.value);
  else
    endpoints_.remove_tier(change.key);
}

void Graph::Impl::operator()(const Change<PolicyKey, Policy>& change) {
  if (change.value) {
    if (policies_.set_source(change.key, change.value->ingress, change.value->egress))
      shares_.touch(change.key);
    endpoints_.set_policy(*change.value);
  } else {
    policies_.remove_source(change.key);
    endpoints_.remove_policy(change.key);
  }
}

void Graph::Impl::operator()(const Change<std::string, Profile>& change) {
  const Profile* profile = change.value ? &*change.value : built_in_profile(change.key);
  if (profile) {
    profiles_.set_source(change.key, profile->ingress, profile->egress);
    endpoints_.set_profile_labels(change.key, profile->labels_to_apply);
    sets_.set_profile_labels(change.key, profile->labels_to_apply);
  } else {
    profiles_.remove_source(change.key);
    endpoints_.remove_profile_labels(change.key);
    sets_.remove_profile_labels(change.key);
  }
}

void Graph::Impl::operator()(const Change<WorkloadKey, WorkloadEndpoint>& change) {
  const bool is_local = change.key.node == node_;
  if (change.value) {
    const WorkloadEndpoint& endpoint = *change.value;
    workload_count_ +=
        sets_.set_item(item_id(change.key), {as_nets(endpoint.addresses), endpoint.ports},
                       endpoint.labels, endpoint.profiles);
    if (is_local)
      workload_owners_.set_workload(endpoint);
    else if (route_source_ == RouteSource::workloads)
      routes_.set_remote_workload(endpoint);
  } else {
    workload_count_ -= sets_.remove_item(item_id(change.key));
    if (is_local)
      workload_owners_.remove_workload(change.key);
    else if (route_source_ == RouteSource::workloads)
      routes_.remove_workload(change.key);
  }
}

void Graph::Impl::operator()(const Change<HostEndpointKey, HostEndpoint>& change) {
  const bool is_local = change.key.node == node_;
  if (change.value) {
    const HostEndpoint& endpoint = *change.value;
    host_endpoint_count_ +=
        sets_.set_item(item_id(change.key), {as_nets(endpoint.expected_addresses), endpoint.ports},
                       endpoint.labels, endpoint.profiles);
    if (is_local) host_endpoints_.set_host_endpoint(endpoint);
  } else {
    host_endpoint_count_ -= sets_.remove_item(item_id(change.key));
    if (is_local) host_endpoints_.remove_host_endpoint(change.key);
  }
}

void Graph::Impl::operator()(const Change<NetworkSetKey, NetworkSet>& change) {
  if (change.value)
    sets_.set_item(item_id(change.key), {change.value->nets, {}}, change.value->labels,
                   change.value->profiles);
  else
    sets_.remove_item(item_id(change.key));
}

void Graph::Impl::operator()(const Change<std::string, IPPool>& change) {
  pools_.assign(change.key, change.value);
  if (change.value)
    routes_.set_pool(*change.value);
  else
    routes_.remove_pool(change.key);
}

void Graph::Impl::operator()(const Change<std::string, Host>& change) {
  hosts_.assign(change.key, change.value);
  services_.set_zone(change.key, change.value ? change.value->zone : "");
  if (change.value) {
    routes_.set_host(*change.value);
    tunnels_.set_host(*change.value);
  } else {
    routes_.remove_host(change.key);
    tunnels_.remove_host(change.key);
  }
}

void Graph::Impl::operator()(const Change<Prefix, Block>& change) {
  if (route_source_ != RouteSource::blocks) return;
  if (change.value)
    routes_.set_block(*change.value);
  else
    routes_.remove_block(change.key);
}

void Graph::Impl::operator()(const Change<std::string, HostInterface>& change) {
  if (change.value)
    host_endpoints_.set_interface(*change.value);
  else
    host_endpoints_.remove_interface(change.key);
}

void Graph::Impl::operator()(const Change<ServiceKey, Service>& change) {
  if (change.value)
    services_.set_service(*change.value);
  else
    services_.remove_service(change.key);
}

void Graph::Impl::operator()(const Change<EndpointSliceKey, EndpointSlice>& change) {
  if (change.value)
    services_.set_slice(*change.value);
  else
    services_.remove_slice(change.key);
}

void Graph::Impl::resolve_owners() {
  workload_owners_.resolve();
  const auto workloads = workload_owners_.take_difference();
  for (const auto& [key, endpoint] : workloads.updated) {
    endpoints_.set_endpoint(endpoint);
    routes_.set_workload(endpoint);
  }
  for (const WorkloadKey& key : workloads.removed) {
    endpoints_.remove_endpoint(key);
    routes_.remove_workload(key);
  }
  host_endpoints_.resolve();
  const auto host_endpoints = host_endpoints_.take_difference();
  for (const auto& [key, endpoint] : host_endpoints.updated) endpoints_.set_endpoint(endpoint);
  for (const HostEndpointKey& key : host_endpoints.removed) endpoints_.remove_endpoint(key);
}

void Graph::Impl::resolve_shares() {
  for (const auto& [key, places] : endpoints_.take_places()) shares_.set_places(key, places);
  const auto compile = [this](const PolicyKey& key) { return policies_.compiled(key); };
  for (const PolicyKey& key : shares_.resolve(compile)) {
    endpoints_.touch(key);
    policies_.touch(key);
  }
}

std::vector<Delta> Graph::Impl::flush() {
  if (!in_sync_) return {};
  resolve_owners();
  resolve_shares();
  endpoints_.resolve();
  policies_.compile();
  profiles_.compile();
  routes_.resolve();
  services_.resolve();

  auto sets = sets_.take_difference();
  auto policies = policies_.take_difference();
  auto profiles = profiles_.take_difference();
  auto workloads = endpoints_.take_workload_difference();
  auto host_endpoints = endpoints_.take_host_endpoint_difference();
  auto hosts = hosts_.take_difference();
  auto pools = pools_.take_difference();
  auto tunnels = tunnels_.take_difference();
  auto routes = routes_.take_difference();
  auto services = services_.take_difference();

  // What is referred to comes first; policy comes before the routes that bring traffic.
  std::vector<Delta> deltas = std::move(sets.updates);
  append_rules<PolicyUpdate>(deltas, policies);
  append_rules<ProfileUpdate>(deltas, profiles);
  append_updates<WorkloadUpdate>(deltas, workloads);
  append_updates<HostEndpointUpdate>(deltas, host_endpoints);
  append_updates<HostUpdate>(deltas, hosts);
  append_updates<PoolUpdate>(deltas, pools);
  append_updates<TunnelUpdate>(deltas, tunnels);
  append_updates<RouteUpdate>(deltas, routes);
  append_updates<ServiceUpdate>(deltas, services);

  append_removals<ServiceRemove>(deltas, services.removed);
  append_removals<RouteRemove>(deltas, routes.removed);
  for (const auto& [node, family] : tunnels.removed)
    deltas.emplace_back(TunnelRemove{node, family});
  append_removals<PoolRemove>(deltas, pools.removed);
  append_removals<HostRemove>(deltas, hosts.removed);
  append_removals<HostEndpointRemove>(deltas, host_endpoints.removed);
  append_removals<WorkloadRemove>(deltas, workloads.removed);
  append_removals<ProfileRemove>(deltas, profiles.removed);
  append_removals<PolicyRemove>(deltas, policies.removed);
  append_removals<SetRemove>(deltas, sets.removed);
  append_unprogrammed(deltas, workload_owners_.take_unprogrammed_difference());
  append_unprogrammed(deltas, host_endpoints_.take_unprogrammed_difference());
  append_unprogrammed(deltas, services_.take_unprogrammed_difference());
  append_unprogrammed(deltas, shares_.take_unprogrammed_difference());
  if (!std::exchange(told_in_sync_, true)) deltas.emplace_back(InSync{});
  return deltas;
}

Graph::Counts Graph::Impl::counts() const {
  return {.local_endpoints = endpoints_.workload_count(),
          .active_policies = policies_.active_count(),
          .active_sets = sets_.stored_count(),
          .policies = policies_.source_count(),
          .profiles = profiles_.source_count(),
          .workloads = workload_count_,
          .hosts = hosts_.size(),
          .host_endpoints = host_endpoint_count_};
}

Graph::Graph(std::string node, WorkloadInterfaces workload_interfaces, const RulesBudget& budget,
             RouteSource route_source)
    : impl_(std::make_unique<Impl>(std::move(node), std::move(workload_interfaces), budget,
                                   route_source)) {}
Graph::~Graph() = default;
void Graph::on_change(const ModelChange& change) { std::visit(*impl_, change); }
void Graph::on_in_sync() { impl_->on_in_sync(); }
std::vector<Delta> Graph::flush() { return impl_->flush(); }
Graph::Counts Graph::counts() const { return impl_->counts(); }

}  // namespace margay::policy
