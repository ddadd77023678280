#include "policy/program_state.h"

#include <fmt/core.h>

#include <algorithm>

namespace margay::policy {
namespace {

using base::ErrorCode;
using base::Result;

std::unexpected<base::Error> broken(std::string what) {
  return base::fail(ErrorCode::invalid, std::move(what));
}

// Calls `visit(id, type)` for every set that the rules name, until it returns false.
bool each_set(const ProgramRules& rules, const auto& visit) {
  const auto each = [&visit](const std::vector<std::string>& ids, SetType type) {
    return std::ranges::all_of(ids, [&](const std::string& id) { return visit(id, type); });
  };
  const auto each_of_entity = [&each](const ProgramEntity& entity) {
    return each(entity.sets, SetType::nets) && each(entity.not_sets, SetType::nets) &&
           each(entity.port_sets, SetType::named_ports) &&
           each(entity.not_port_sets, SetType::named_ports);
  };
  const auto each_of_rule = [&each_of_entity](const ProgramRule& rule) {
    return each_of_entity(rule.source) && each_of_entity(rule.destination);
  };
  return std::ranges::all_of(rules.ingress, each_of_rule) &&
         std::ranges::all_of(rules.egress, each_of_rule);
}

bool lists(const std::vector<ProgramTier>& tiers, const PolicyKey& key) {
  return std::ranges::any_of(tiers, [&key](const ProgramTier& tier) {
    return std::ranges::count(tier.ingress, key) > 0 || std::ranges::count(tier.egress, key) > 0;
  });
}

std::vector<const std::vector<ProgramTier>*> stages(const ProgramWorkload& workload) {
  return {&workload.tiers};
}
std::vector<const std::vector<ProgramTier>*> stages(const ProgramHostEndpoint& endpoint) {
  return {&endpoint.untracked, &endpoint.pre_dnat, &endpoint.forward, &endpoint.normal};
}

// Checks deltas against a state, then applies them.
class Applier {
 public:
  explicit Applier(ProgramState& state) : state_(state) {}

  Result<> operator()(const SetUpdate& u) {
    state_.sets.insert_or_assign(u.id, ProgramSet{u.type, {u.members.begin(), u.members.end()}});
    return {};
  }
  Result<> operator()(const SetDelta& d);
  Result<> operator()(const SetRemove& r);
  Result<> operator()(const PolicyUpdate& u) {
    MARGAY_CHECK(check_sets("policy " + u.key.id(), *u.rules));
    state_.policies.insert_or_assign(u.key, *u.rules);
    return {};
  }
  Result<> operator()(const PolicyRemove& r);
  Result<> operator()(const ProfileUpdate& u) {
    MARGAY_CHECK(check_sets("profile " + u.name, *u.rules));
    state_.profiles.insert_or_assign(u.name, *u.rules);
    return {};
  }
  Result<> operator()(const ProfileRemove& r);
  Result<> operator()(const WorkloadUpdate& u) {
    MARGAY_CHECK(check_endpoint(u.workload));
    state_.workloads.insert_or_assign(u.workload.endpoint.key, u.workload);
    return {};
  }
  Result<> operator()(const WorkloadRemove& r) {
    return erase(state_.workloads, r.key, "workload " + r.key.id());
  }
  Result<> operator()(const HostEndpointUpdate& u) {
    MARGAY_CHECK(check_endpoint(u.endpoint));
    state_.host_endpoints.insert_or_assign(u.endpoint.endpoint.key, u.endpoint);
    return {};
  }
  Result<> operator()(const HostEndpointRemove& r) {
    return erase(state_.host_endpoints, r.key, "host endpoint " + r.key.id());
  }
  Result<> operator()(const RouteUpdate& u) {
    state_.routes.insert_or_assign(u.route.destination, u.route);
    return {};
  }
  Result<> operator()(const RouteRemove& r) {
    return erase(state_.routes, r.destination, "route " + r.destination.to_string());
  }
  Result<> operator()(const TunnelUpdate& u) {
    state_.tunnels.insert_or_assign({u.tunnel.node, u.tunnel.tunnel_address.family()}, u.tunnel);
    return {};
  }
  Result<> operator()(const TunnelRemove& r) {
    return erase(state_.tunnels, std::pair(r.node, r.family), "tunnel to " + r.node);
  }
  Result<> operator()(const PoolUpdate& u) {
    state_.pools.insert_or_assign(u.pool.name, u.pool);
    return {};
  }
  Result<> operator()(const PoolRemove& r) { return erase(state_.pools, r.name, "pool " + r.name); }
  Result<> operator()(const HostUpdate& u) {
    state_.hosts.insert_or_assign(u.host.name, u.host);
    return {};
  }
  Result<> operator()(const HostRemove& r) { return erase(state_.hosts, r.name, "host " + r.name); }
  Result<> operator()(const ServiceUpdate& u) {
    state_.services.insert_or_assign(u.service.key, u.service);
    return {};
  }
  Result<> operator()(const ServiceRemove& r) {
    return erase(state_.services, r.key, "service " + r.key.id());
  }
  Result<> operator()(const UnprogrammedUpdate& u) {
    state_.unprogrammed.insert_or_assign(u.unprogrammed.key, u.unprogrammed);
    return {};
  }
  Result<> operator()(const UnprogrammedRemove& r) {
    return erase(state_.unprogrammed, r.key,
                 "unprogrammed " + std::visit([](const auto& key) { return key.id(); }, r.key));
  }
  Result<> operator()(const InSync&) {
    if (state_.in_sync) return broken("in sync a second time");
    state_.in_sync = true;
    return {};
  }

 private:
  template <typename Map>
  Result<> erase(Map& map, const typename Map::key_type& key, const std::string& what) {
    if (map.erase(key) == 0) return broken(what + " is removed, but was not there");
    return {};
  }

  Result<> check_sets(const std::string& owner, const ProgramRules& rules) const {
    std::string missing;
    const bool all_there = each_set(rules, [&](const std::string& id, SetType type) {
      const auto found = state_.sets.find(id);
      if (found != state_.sets.end() && found->second.type == type) return true;
      missing = id;
      return false;
    });
    if (all_there) return {};
    return broken(fmt::format("{} refers to set {}, which is not there", owner, missing));
  }

  Result<> check_endpoint(const auto& endpoint) const {
    const std::string owner = "endpoint " + endpoint.endpoint.key.id();
    for (const std::string& name : endpoint.endpoint.profiles)
      if (!state_.profiles.contains(name))
        return broken(fmt::format("{} lists profile {}, which is not there", owner, name));
    for (const auto* tiers : stages(endpoint))
      for (const ProgramTier& tier : *tiers)
        for (const auto* keys : {&tier.ingress, &tier.egress})
          for (const PolicyKey& key : *keys)
            if (!state_.policies.contains(key))
              return broken(fmt::format("{} lists policy {}, which is not there", owner, key.id()));
    return {};
  }

  // Is there an endpoint of either kind for which the condition holds?
  bool any_endpoint(const auto& condition) const {
    const auto holds = [&](const auto& entry) { return condition(entry.second); };
    return std::ranges::any_of(state_.workloads, holds) ||
           std::ranges::any_of(state_.host_endpoints, holds);
  }

  ProgramState& state_;
};

Result<> Applier::operator()(const SetDelta& d) {
  const auto found = state_.sets.find(d.id);
  if (found == state_.sets.end()) return broken("set " + d.id + " changes, but is not there");
  std::set<SetMember> members = found->second.members;
  for (const SetMember& member : d.removed)
    if (members.erase(member) == 0)
      return broken(fmt::format("set {} does not have {}", d.id, member.net.to_string()));
  for (const SetMember& member : d.added)
    if (!members.insert(member).second)
      return broken(fmt::format("set {} has {} already", d.id, member.net.to_string()));
  found->second.members = std::move(members);
  return {};
}

Result<> Applier::operator()(const SetRemove& r) {
  const auto free_of_it = [&r](const auto& entry) {
    return each_set(entry.second, [&r](const std::string& id, SetType) { return id != r.id; });
  };
  if (!std::ranges::all_of(state_.policies, free_of_it) ||
      !std::ranges::all_of(state_.profiles, free_of_it))
    return broken("set " + r.id + " is removed, but still referred to");
  return erase(state_.sets, r.id, "set " + r.id);
}

Result<> Applier::operator()(const PolicyRemove& r) {
  const bool listed = any_endpoint([&r](const auto& endpoint) {
    return std::ranges::any_of(stages(endpoint),
                               [&r](const auto* tiers) { return lists(*tiers, r.key); });
  });
  if (listed) return broken("policy " + r.key.id() + " is removed, but still listed");
  return erase(state_.policies, r.key, "policy " + r.key.id());
}

Result<> Applier::operator()(const ProfileRemove& r) {
  const bool listed = any_endpoint([&r](const auto& endpoint) {
    return std::ranges::count(endpoint.endpoint.profiles, r.name) > 0;
  });
  if (listed) return broken("profile " + r.name + " is removed, but still listed");
  return erase(state_.profiles, r.name, "profile " + r.name);
}

}  // namespace

base::Result<> ProgramState::apply(const Delta& delta) { return std::visit(Applier(*this), delta); }

}  // namespace margay::policy
