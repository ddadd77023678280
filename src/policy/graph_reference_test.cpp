#include "policy/graph_reference.h"

#include <algorithm>
#include <set>
#include <utility>

#include "policy/compile_rules.h"
#include "policy/evaluate.h"
#include "policy/order.h"
#include "policy/rules_cost.h"
#include "policy/service_program.h"

namespace margay::policy {
namespace {

// ---- endpoints --------------------------------------------------------------------------------

Action end_of(const Model& model, const std::string& tier) {
  const auto found = model.tiers.find(tier);
  return found == model.tiers.end() ? Action::deny : found->second.default_action;
}

std::vector<ProgramTier> by_tier(const Model& model, const std::vector<const Policy*>& ingress,
                                 const std::vector<const Policy*>& egress) {
  std::set<Rank> tiers;
  for (const auto* list : {&ingress, &egress})
    for (const Policy* policy : *list) tiers.insert(rank_of_tier(model.tiers, policy->key.tier));
  std::vector<ProgramTier> program;
  for (const Rank& rank : tiers) {
    ProgramTier& tier = program.emplace_back(ProgramTier{.name = rank.name});
    tier.default_action = end_of(model, rank.name);
    for (const Policy* policy : ingress)
      if (policy->key.tier == tier.name) tier.ingress.push_back(policy->key);
    for (const Policy* policy : egress)
      if (policy->key.tier == tier.name) tier.egress.push_back(policy->key);
  }
  return program;
}

std::vector<ProgramTier> host_stage(const Model& model, const HostEndpoint& endpoint,
                                    auto takes_part, bool has_egress) {
  const Labels labels = effective_labels(model, endpoint.labels, endpoint.profiles);
  std::vector<const Policy*> matching;
  for (const auto& [key, policy] : model.policies)
    if (takes_part(policy) && policy.selector.matches(labels)) matching.push_back(&policy);
  std::ranges::sort(matching, {},
                    [](const Policy* policy) { return rank_of(policy->key, policy->order); });
  auto egress = matching;
  std::erase_if(egress, [&](const Policy* p) { return !has_egress || !p->applies_egress; });
  std::erase_if(matching, [](const Policy* p) { return !p->applies_ingress; });
  return by_tier(model, matching, egress);
}

ProgramHostEndpoint host_program(const Model& model, const HostEndpoint& endpoint) {
  const auto is_normal = [](const Policy& p) { return !p.do_not_track && !p.pre_dnat; };
  ProgramHostEndpoint program{
      .endpoint = endpoint,
      .untracked = host_stage(
          model, endpoint, [](const Policy& p) { return p.do_not_track; }, true),
      .pre_dnat = host_stage(
          model, endpoint, [](const Policy& p) { return p.pre_dnat; }, false),
      .forward = host_stage(
          model, endpoint, [&](const Policy& p) { return is_normal(p) && p.apply_on_forward; },
          true),
      .normal = host_stage(model, endpoint, is_normal, true),
  };
  for (auto* tiers : {&program.untracked, &program.pre_dnat})
    for (ProgramTier& tier : *tiers) tier.default_action = Action::pass;
  return program;
}

// ---- owners -------------------------------------------------------------------------------------

// Walks through local workloads, who comes first has what it claims.
class Workloads {
 public:
  Workloads(const Model& model, const std::string& node) {
    for (const auto& [key, endpoint] : model.workloads)
      if (key.node == node) give_interface(endpoint);
    // Those that carry traffic come before those that do not.
    for (const bool carries : {true, false})
      for (auto& [key, endpoint] : programmed)
        if ((endpoint.admin_up && !endpoint.interface_name.empty()) == carries)
          give_addresses(endpoint);
  }

  std::map<WorkloadKey, WorkloadEndpoint> programmed;
  std::map<WorkloadKey, std::string> reasons;

 private:
  void give_interface(const WorkloadEndpoint& endpoint) {
    if (!endpoint.interface_name.empty() && !endpoint.interface_name.starts_with("cali")) {
      reasons[endpoint.key] =
          "interface " + endpoint.interface_name + " is the host's by its name (interfacePrefix)";
      return;
    }
    if (endpoint.interface_name.empty() ||
        interfaces_.try_emplace(endpoint.interface_name, endpoint.key).second) {
      programmed[endpoint.key] = endpoint;
      return;
    }
    reasons[endpoint.key] = "interface " + endpoint.interface_name + " is that of " +
                            interfaces_.at(endpoint.interface_name).id();
  }

  void give_addresses(WorkloadEndpoint& endpoint) {
    const auto give = [&](const char* what, auto& owners, const IPAddress& address) {
      const auto [owner, is_new] = owners.try_emplace(address, endpoint.key);
      if (owner->second == endpoint.key) return true;
      std::string& reason = reasons[endpoint.key];
      reason += (reason.empty() ? "" : "; ") + std::string(what) + " " + address.to_string() +
                " is that of " + owner->second.id();
      return false;
    };
    std::erase_if(endpoint.addresses,
                  [&](const IPAddress& address) { return !give("address", addresses_, address); });
    std::erase_if(endpoint.floating_ips, [&](const FloatingIP& ip) {
      return !give("floating IP", floating_ips_, ip.external);
    });
  }

  std::map<std::string, WorkloadKey> interfaces_;
  std::map<IPAddress, WorkloadKey> addresses_, floating_ips_;
};

std::string first_with(const Model& model, const std::string& node, auto condition) {
  for (const auto& [key, endpoint] : model.host_endpoints)
    if (key.node == node && condition(endpoint)) return key.name;
  return {};
}

// The name of the host endpoint that governs an interface by name or address; empty: none.
std::string governor(const Model& model, const std::string& node, const std::string& interface) {
  const auto named =
      first_with(model, node, [&](const HostEndpoint& e) { return e.interface_name == interface; });
  const auto there = model.interfaces.find(interface);
  if (!named.empty() || there == model.interfaces.end()) return named;
  return first_with(model, node, [&](const HostEndpoint& e) {
    return e.interface_name.empty() &&
           std::ranges::any_of(there->second.addresses, [&](const IPAddress& address) {
             return std::ranges::count(e.expected_addresses, address) > 0;
           });
  });
}

void add_host_endpoint(ProgramState& state, const Model& model, const HostEndpoint& endpoint) {
  const HostEndpointKey& key = endpoint.key;
  ProgramHostEndpoint program = host_program(model, endpoint);
  const auto for_all =
      first_with(model, key.node, [](const HostEndpoint& e) { return e.interface_name == "*"; });
  std::set<std::string> names;
  for (const auto& [name, interface] : model.interfaces) names.insert(name);
  if (endpoint.interface_name == "*") {
    program.every_other_interface = for_all == key.name;
    program.untracked.clear();
  } else if (!endpoint.interface_name.empty()) {
    names.insert(endpoint.interface_name);
  }
  std::string reason = endpoint.interface_name == "*"
                           ? "host endpoint " + for_all + " is the one for *"
                           : "no interface has one of its expectedIPs";
  bool has_reason = false;
  for (const std::string& name : names) {
    const bool named = endpoint.interface_name == name;
    const bool expected =
        endpoint.interface_name.empty() && model.interfaces.contains(name) &&
        std::ranges::any_of(model.interfaces.at(name).addresses, [&](const IPAddress& address) {
          return std::ranges::count(endpoint.expected_addresses, address) > 0;
        });
    if (!named && !expected) continue;
    if (name.starts_with("cali")) {
      if (named) reason = "interface " + name + " is a workload's by its name (interfacePrefix)";
      continue;
    }
    const std::string winner = governor(model, key.node, name);
    if (winner == key.name) {
      program.interfaces.push_back(name);
    } else if (!std::exchange(has_reason, true)) {
      reason = "interface " + name + " is that of host endpoint " + winner;
    }
  }
  if (program.interfaces.empty() && !program.every_other_interface) {
    state.unprogrammed[key] = {.key = key, .reason = reason};
    return;
  }
  state.host_endpoints[key] = std::move(program);
}

// ---- rules and sets ---------------------------------------------------------------------------

void each_part(const Prefix& net, const auto& visit) {
  if (net == Prefix::all(IPFamily::v4)) {
    visit(SetMember{.net = *Prefix::parse("0.0.0.0/1")});
    visit(SetMember{.net = *Prefix::parse("128.0.0.0/1")});
  } else if (net == Prefix::all(IPFamily::v6)) {
    visit(SetMember{.net = *Prefix::parse("::/1")});
    visit(SetMember{.net = *Prefix::parse("8000::/1")});
  } else {
    visit(SetMember{.net = net});
  }
}

void each_member_of(const SetSpec& spec, const std::vector<IPAddress>& addresses,
                    const std::vector<NamedPort>& ports, const auto& visit) {
  for (const IPAddress& address : addresses) {
    if (spec.type == SetType::nets) visit(SetMember{.net = Prefix(address)});
    for (const NamedPort& port : ports)
      if (spec.type == SetType::named_ports && port.name == spec.port_name &&
          port.protocol == spec.protocol)
        visit(SetMember{.net = Prefix(address), .protocol = port.protocol, .port = port.port});
  }
}

// As often as it is brought.
void each_member(const Model& model, const SetSpec& spec, const auto& visit) {
  const auto chosen = [&](const auto& item) {
    return spec.selector.matches(effective_labels(model, item.labels, item.profiles));
  };
  for (const auto& [key, endpoint] : model.workloads)
    if (chosen(endpoint)) each_member_of(spec, endpoint.addresses, endpoint.ports, visit);
  for (const auto& [key, endpoint] : model.host_endpoints)
    if (chosen(endpoint)) each_member_of(spec, endpoint.expected_addresses, endpoint.ports, visit);
  if (spec.type == SetType::named_ports) return;
  for (const auto& [key, network_set] : model.network_sets)
    if (chosen(network_set))
      for (const Prefix& net : network_set.nets) each_part(net, visit);
}

void add_sets(ProgramState& state, const Model& model, const CompiledRules& compiled) {
  for (const auto& [id, spec] : compiled.sets) {
    ProgramSet set{.type = spec.type};
    each_member(model, spec, [&set](const SetMember& member) { set.members.insert(member); });
    state.sets.insert_or_assign(id, std::move(set));
  }
}

// What a namespace's policies cost so far, in their order.
struct Used {
  RulesCost cost;
  size_t members = 0;  // of what selectors match
  std::set<std::string> sets;
};

void add_cost(Used& used, const Model& model, const CompiledRules& compiled) {
  used.cost += cost_of(compiled);
  for (const auto& [id, spec] : compiled.sets) {
    if (!used.sets.insert(id).second) continue;
    used.cost += {.sets = 1, .selectors = spec.selector.text().size()};
    each_member(model, spec, [&used](const SetMember&) { ++used.members; });
  }
}

// What each namespace may have, so that all fit.
size_t share_of_each(const std::map<std::string, Used>& used, size_t RulesCost::* what,
                     const RulesBudget& budget) {
  const auto all = [&](size_t share) {
    size_t sum = 0;
    for (const auto& [ns, each] : used) sum += std::min(each.cost.*what, share);
    return sum;
  };
  size_t share = budget.of_a_namespace.*what;
  while (all(share) > budget.of_a_node.*what) --share;
  return share;
}

CompiledRules compiled_of(const Model& model, const PolicyKey& key) {
  const Policy& policy = model.policies.at(key);
  return compile_rules(RulesOf::policy, key.tier + "/" + key.id(), policy.ingress, policy.egress);
}

// How many directions of the program's endpoints a policy applies to.
size_t places_of(const Policy& policy, const Model& model, const ProgramState& state) {
  const auto chooses = [&](const auto& endpoint) {
    return policy.selector.matches(effective_labels(model, endpoint.labels, endpoint.profiles));
  };
  size_t endpoints = 0;
  for (const auto& [key, program] : state.workloads) endpoints += chooses(program.endpoint);
  for (const auto& [key, program] : state.host_endpoints) endpoints += chooses(program.endpoint);
  return endpoints * (size_t{policy.applies_ingress} + size_t{policy.applies_egress});
}

// The policies of namespaces for which there is no place.
std::set<PolicyKey> closed_policies(const Model& model, const ProgramState& state,
                                    const RulesBudget& budget) {
  std::map<PolicyKey, size_t> places;
  for (const auto& [key, policy] : model.policies)
    if (const size_t count = places_of(policy, model, state); count > 0 && !key.ns.empty())
      places.emplace(key, count);
  std::map<std::string, Used> used;
  const auto add = [&](const PolicyKey& key) {
    add_cost(used[key.ns], model, compiled_of(model, key));
    used[key.ns].cost.rules += 2 * places.at(key);
  };
  // What is behind the first that does not fit has nothing anyway.
  for (const auto& [key, count] : places)
    if (used[key.ns].cost.fits(budget.of_a_namespace)) add(key);
  RulesCost share = budget.of_a_namespace;
  share.rules = share_of_each(used, &RulesCost::rules, budget);
  share.sets = share_of_each(used, &RulesCost::sets, budget);
  used.clear();
  std::set<PolicyKey> closed;
  for (const auto& [key, count] : places) {
    add(key);
    RulesCost cost = used[key.ns].cost;
    cost.members += used[key.ns].members;
    if (!cost.fits(share)) closed.insert(key);
  }
  return closed;
}

// What stands behind a closed policy in its tier is asked nothing.
std::vector<PolicyKey> reached(const std::vector<PolicyKey>& policies,
                               const std::set<PolicyKey>& closed) {
  std::vector<PolicyKey> reached;
  for (const PolicyKey& key : policies) {
    reached.push_back(key);
    if (closed.contains(key)) break;
  }
  return reached;
}

void add_policies(ProgramState& state, const Model& model, const RulesBudget& budget) {
  const auto closed = closed_policies(model, state, budget);
  for (const PolicyKey& key : closed)
    state.unprogrammed[key] = {.key = key, .reason = reason_for_closed()};
  std::set<PolicyKey> named;
  const auto keep_reached = [&](std::vector<ProgramTier>& tiers) {
    for (ProgramTier& tier : tiers)
      for (auto* policies : {&tier.ingress, &tier.egress}) {
        *policies = reached(*policies, closed);
        named.insert(policies->begin(), policies->end());
      }
  };
  for (auto& [key, program] : state.workloads) keep_reached(program.tiers);
  for (auto& [key, program] : state.host_endpoints)
    for (auto* tiers : {&program.untracked, &program.pre_dnat, &program.forward, &program.normal})
      keep_reached(*tiers);
  for (const PolicyKey& key : named) {
    const auto compiled = closed.contains(key)
                              ? closed_rules(RulesOf::policy, key.tier + "/" + key.id())
                              : compiled_of(model, key);
    state.policies.insert_or_assign(key, *compiled.rules);
    add_sets(state, model, compiled);
  }
}

void add_profiles(ProgramState& state, const Model& model,
                  const std::vector<std::string>& profiles) {
  for (const std::string& name : profiles) {
    const Profile* found = find_profile(model, name);
    const Profile profile = found ? *found : Profile{};
    const auto compiled = compile_rules(RulesOf::profile, name, profile.ingress, profile.egress);
    state.profiles.insert_or_assign(name, *compiled.rules);
    add_sets(state, model, compiled);
  }
}

// ---- routes -----------------------------------------------------------------------------------

using Kind = ProgramRoute::Kind;

class RouteReference {
 public:
  RouteReference(ProgramState& state, const Model& model, const std::string& node)
      : state_(state), model_(model), node_(node) {}

  // The strongest claims first: an earlier route to a destination stays.
  void add_all() {
    for (const auto& [key, endpoint] : Workloads(model_, node_).programmed)
      if (endpoint.admin_up && !endpoint.interface_name.empty())
        for (const IPAddress& address : endpoint.addresses)
          add({.destination = Prefix(address),
               .kind = Kind::local_workload,
               .node = node_,
               .interface_name = endpoint.interface_name});
    std::set<std::pair<std::string, IPAddress>> borrowers;
    for (const auto& [cidr, block] : model_.blocks)
      for (const auto& [address, borrower] : block.borrowed)
        if (borrower != block.node && borrower != node_) borrowers.emplace(borrower, address);
    for (const auto& [borrower, address] : borrowers) add_remote(Prefix(address), borrower);
    for (const auto& [cidr, block] : model_.blocks)
      if (block.node == node_)
        add({.destination = cidr, .kind = Kind::local_block, .node = node_});
      else if (!block.node.empty())
        add_remote(cidr, block.node);
    for (const auto& [name, host] : model_.hosts)
      for (const auto& address : {host.v4, host.v6})
        if (name != node_ && address)
          add(towards({.destination = Prefix(*address), .kind = Kind::remote_host, .node = name},
                      *address));
    for (const auto& [name, pool] : model_.pools)
      add({.destination = pool.cidr, .kind = Kind::pool});
  }

 private:
  void add(ProgramRoute route) {
    unsigned best = 0;
    const IPPool* pool = nullptr;
    for (const auto& [name, candidate] : model_.pools)
      if (candidate.cidr.contains(route.destination) &&
          (pool == nullptr || candidate.cidr.length() > best)) {
        pool = &candidate;
        best = candidate.cidr.length();
      }
    if (pool) {
      route.vxlan = pool->vxlan;
      route.ipip = pool->ipip;
      route.nat_outgoing = pool->nat_outgoing;
    }
    state_.routes.try_emplace(route.destination, route);
  }

  void add_remote(const Prefix& destination, const std::string& node) {
    const auto host = model_.hosts.find(node);
    if (host == model_.hosts.end()) return;
    const auto& hop = destination.family() == IPFamily::v4 ? host->second.v4 : host->second.v6;
    if (!hop) return;
    add(towards({.destination = destination, .kind = Kind::remote_workload, .node = node}, *hop));
  }

  ProgramRoute towards(ProgramRoute route, const IPAddress& hop) const {
    route.next_hop = hop;
    if (const auto self = model_.hosts.find(node_); self != model_.hosts.end())
      for (const auto& subnet : {self->second.v4_subnet, self->second.v6_subnet})
        route.same_subnet |= subnet && subnet->contains(hop);
    return route;
  }

  ProgramState& state_;
  const Model& model_;
  const std::string& node_;
};

void add_tunnels(ProgramState& state, const Model& model, const std::string& node) {
  for (const auto& [name, host] : model.hosts) {
    if (name == node) continue;
    if (host.v4 && host.vxlan_v4 && !host.vxlan_mac.empty())
      state.tunnels[{name, IPFamily::v4}] = {name, *host.v4, *host.vxlan_v4, host.vxlan_mac};
    if (host.v6 && host.vxlan_v6 && !host.vxlan_mac_v6.empty())
      state.tunnels[{name, IPFamily::v6}] = {name, *host.v6, *host.vxlan_v6, host.vxlan_mac_v6};
  }
}

// ---- services -----------------------------------------------------------------------------------

void add_services(ProgramState& state, const Model& model, const std::string& node) {
  ServiceView view{.node = node, .zone = {}};
  if (const auto self = model.hosts.find(node); self != model.hosts.end())
    view.zone = self->second.zone;
  std::vector<const Service*> oldest_first;
  for (const auto& [key, service] : model.services) oldest_first.push_back(&service);
  std::ranges::stable_sort(oldest_first, {}, &Service::created);
  std::map<FrontendKey, std::string> owners;
  for (const Service* service : oldest_first) {
    std::vector<const EndpointSlice*> slices;
    for (const auto& [key, slice] : model.endpoint_slices)
      if (slice.service == service->key) slices.push_back(&slice);
    ProgramService program = program_of(*service, slices, view);
    std::string reason;
    for (ProgramServicePort& port : program.ports)
      std::erase_if(port.frontends, [&](const ProgramFrontend& frontend) {
        const FrontendKey claimed = key_of(port, frontend);
        const auto& owner = owners.try_emplace(claimed, service->key.id()).first->second;
        if (owner == service->key.id()) return false;
        reason += (reason.empty() ? "" : "; ") + to_string(claimed) + " is that of " + owner;
        return true;
      });
    std::erase_if(program.ports, [](const auto& port) { return port.frontends.empty(); });
    if (!reason.empty())
      state.unprogrammed[service->key] = {
          .key = service->key, .partly = !program.ports.empty(), .reason = reason};
    if (!program.ports.empty()) state.services[service->key] = std::move(program);
  }
}

}  // namespace

ProgramState reference_program(const Model& model, const std::string& node,
                               const RulesBudget& budget) {
  ProgramState state;
  const Workloads workloads(model, node);
  for (const auto& [key, reason] : workloads.reasons)
    state.unprogrammed[key] = {
        .key = key, .partly = workloads.programmed.contains(key), .reason = reason};
  for (const auto& [key, endpoint] : workloads.programmed) {
    const auto tiers = by_tier(model, applicable_policies(model, endpoint, Direction::ingress),
                               applicable_policies(model, endpoint, Direction::egress));
    state.workloads[key] = {endpoint, tiers};
    add_profiles(state, model, endpoint.profiles);
  }
  for (const auto& [key, endpoint] : model.host_endpoints)
    if (key.node == node) add_host_endpoint(state, model, endpoint);
  for (const auto& [key, program] : state.host_endpoints)
    add_profiles(state, model, program.endpoint.profiles);
  add_policies(state, model, budget);
  RouteReference(state, model, node).add_all();
  add_tunnels(state, model, node);
  add_services(state, model, node);
  state.pools = model.pools;
  state.hosts = model.hosts;
  state.in_sync = true;
  return state;
}

}  // namespace margay::policy
