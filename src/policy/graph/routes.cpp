#include "policy/graph/routes.h"

namespace margay::policy {
namespace {

const std::optional<IPAddress>& address_of(const Host& host, IPFamily family) {
  return family == IPFamily::v4 ? host.v4 : host.v6;
}

const std::optional<Prefix>& subnet_of(const Host& host, IPFamily family) {
  return family == IPFamily::v4 ? host.v4_subnet : host.v6_subnet;
}

template <typename Map>
const typename Map::mapped_type* find(const Map& map, const typename Map::key_type& key) {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

}  // namespace

void Routes::set_workload(const WorkloadEndpoint& endpoint) {
  Claims claims;
  // No route leads to a workload that has no interface yet, or may not have traffic.
  if (endpoint.admin_up && !endpoint.interface_name.empty())
    for (const IPAddress& address : endpoint.addresses)
      claims.emplace_back(Prefix(address), Claim{.source = Claim::Source::workload,
                                                 .node = node_,
                                                 .interface_name = endpoint.interface_name});
  replace("workload/" + endpoint.key.id(), std::move(claims));
}

void Routes::set_remote_workload(const WorkloadEndpoint& endpoint) {
  Claims claims;
  for (const IPAddress& address : endpoint.addresses)
    claims.emplace_back(Prefix(address),
                        Claim{.source = Claim::Source::remote_workload, .node = endpoint.key.node});
  replace("workload/" + endpoint.key.id(), std::move(claims));
}

void Routes::remove_workload(const WorkloadKey& key) { replace("workload/" + key.id(), {}); }

void Routes::set_block(const Block& block) {
  Claims claims;
  if (!block.node.empty())
    claims.emplace_back(block.cidr, Claim{.source = Claim::Source::block, .node = block.node});
  // An address we borrow ourselves is routed once a workload has it.
  for (const auto& [address, borrower] : block.borrowed)
    if (borrower != block.node && borrower != node_)
      claims.emplace_back(Prefix(address),
                          Claim{.source = Claim::Source::elsewhere, .node = borrower});
  replace("block/" + block.cidr.to_string(), std::move(claims));
}

void Routes::remove_block(const Prefix& cidr) { replace("block/" + cidr.to_string(), {}); }

void Routes::set_host(const Host& host) {
  const Host* known = find(hosts_, host.name);
  const std::optional<Host> before = known ? std::optional(*known) : std::nullopt;
  hosts_.insert_or_assign(host.name, host);
  host_changed(host.name, before ? &*before : nullptr, &host);
}

void Routes::remove_host(const std::string& name) {
  const auto known = hosts_.extract(name);
  if (!known.empty()) host_changed(name, &known.mapped(), nullptr);
}

void Routes::host_changed(const std::string& name, const Host* before, const Host* now) {
  if (before && now && *before == *now) return;
  if (name == node_) return mark_everything();  // our subnets tell what needs no tunnel
  Claims claims;
  for (const IPFamily family : {IPFamily::v4, IPFamily::v6})
    if (now && address_of(*now, family))
      claims.emplace_back(Prefix(*address_of(*now, family)),
                          Claim{.source = Claim::Source::host, .node = name});
  replace("host/" + name, std::move(claims));
  if (const auto* destinations = find(by_node_, name))
    changed_.insert(destinations->begin(), destinations->end());
}

void Routes::set_pool(const IPPool& pool) {
  const IPPool* known = find(pools_, pool.name);
  const std::optional<IPPool> before = known ? std::optional(*known) : std::nullopt;
  pools_.insert_or_assign(pool.name, pool);
  pool_changed(before ? &*before : nullptr, &pool);
  replace("pool/" + pool.name, {{pool.cidr, Claim{.source = Claim::Source::pool}}});
}

void Routes::remove_pool(const std::string& name) {
  const auto known = pools_.extract(name);
  if (!known.empty()) pool_changed(&known.mapped(), nullptr);
  replace("pool/" + name, {});
}

void Routes::pool_changed(const IPPool* before, const IPPool* now) {
  if (before && now && *before == *now) return;
  if (before) mark_inside(before->cidr);
  if (now) mark_inside(now->cidr);
}

void Routes::replace(const std::string& claimant, Claims claims) {
  Claims& held = by_claimant_[claimant];
  if (held == claims) {
    if (held.empty()) by_claimant_.erase(claimant);
    return;
  }
  for (const auto& [destination, claim] : held) {
    auto& all = claims_.at(destination);
    all.erase(all.find(claim));
    if (all.empty()) claims_.erase(destination);
    auto& of_node = by_node_.at(claim.node);
    of_node.erase(of_node.find(destination));
    if (of_node.empty()) by_node_.erase(claim.node);
    changed_.insert(destination);
  }
  for (const auto& [destination, claim] : claims) {
    claims_[destination].insert(claim);
    by_node_[claim.node].insert(destination);
    changed_.insert(destination);
  }
  held = std::move(claims);
  if (held.empty()) by_claimant_.erase(claimant);
}

void Routes::mark_inside(const Prefix& cidr) {
  // Prefixes are ordered by address, then length: those inside follow `cidr`'s own place.
  for (auto it = claims_.lower_bound(cidr);
       it != claims_.end() && it->first.address() <= cidr.last(); ++it)
    if (cidr.contains(it->first)) changed_.insert(it->first);
}

void Routes::mark_everything() {
  for (const auto& [destination, claims] : claims_) changed_.insert(destination);
}

void Routes::resolve() {
  for (const Prefix& destination : std::exchange(changed_, {}))
    routes_.assign(destination, route(destination));
}

std::optional<ProgramRoute> Routes::route(const Prefix& destination) const {
  const auto* claims = find(claims_, destination);
  if (claims == nullptr) return std::nullopt;
  for (const Claim& claim : *claims)
    if (auto route = route_by(destination, claim)) return route;
  return std::nullopt;
}

std::optional<ProgramRoute> Routes::route_by(const Prefix& destination, const Claim& claim) const {
  using Kind = ProgramRoute::Kind;
  ProgramRoute route{.destination = destination, .node = claim.node};
  const IPPool* pool = pool_of(destination);
  if (pool) {
    route.vxlan = pool->vxlan;
    route.ipip = pool->ipip;
    route.nat_outgoing = pool->nat_outgoing;
  }
  switch (claim.source) {
    case Claim::Source::workload:
      route.kind = Kind::local_workload;
      route.interface_name = claim.interface_name;
      return route;
    case Claim::Source::block:
      if (claim.node == node_) {
        route.kind = Kind::local_block;
        return route;
      }
      [[fallthrough]];
    case Claim::Source::elsewhere:
    case Claim::Source::remote_workload:
      if (claim.source == Claim::Source::remote_workload && !pool) return std::nullopt;
      route.kind = Kind::remote_workload;
      return set_next_hop(route) ? std::optional(route) : std::nullopt;
    case Claim::Source::host:
      route.kind = Kind::remote_host;
      return set_next_hop(route) ? std::optional(route) : std::nullopt;
    case Claim::Source::pool:
      route.kind = Kind::pool;
      return route;
  }
  return std::nullopt;
}

bool Routes::set_next_hop(ProgramRoute& route) const {
  const IPFamily family = route.destination.family();
  const Host* host = find(hosts_, route.node);
  if (host == nullptr || !address_of(*host, family)) return false;
  route.next_hop = address_of(*host, family);
  const Host* self = find(hosts_, node_);
  route.same_subnet = self != nullptr && subnet_of(*self, family) &&
                      subnet_of(*self, family)->contains(*route.next_hop);
  return true;
}

const IPPool* Routes::pool_of(const Prefix& destination) const {
  const IPPool* best = nullptr;
  for (const auto& [name, pool] : pools_)
    if (pool.cidr.contains(destination) &&
        (best == nullptr || pool.cidr.length() > best->cidr.length()))
      best = &pool;
  return best;
}

}  // namespace margay::policy
