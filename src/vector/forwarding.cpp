#include "vector/forwarding.h"

#include <algorithm>
#include <utility>

namespace margay::vector {
namespace {

template <typename Value>
void publish(Published<Value>& where, size_t index, const Value* value, Rcu& rcu) {
  if (const Value* old = where.exchange(index, value)) rcu.defer([old] { delete old; });
}

void put_ethernet(Adjacency& adjacency, const Interface& interface, const MacAddress& neighbour) {
  adjacency.has_neighbour = neighbour != MacAddress{};
  std::ranges::copy(neighbour.bytes, adjacency.ethernet.begin());
  std::ranges::copy(interface.mac.bytes, adjacency.ethernet.begin() + 6);
}

}  // namespace

Forwarding::Forwarding(Tables& tables) : tables_(tables) {}

Forwarding::~Forwarding() {
  for (size_t i = 0; i < tables_.adjacencies.capacity(); ++i)
    if (i < top_) publish<Adjacency>(tables_.adjacencies, i, nullptr, tables_.rcu);
  for (size_t i = 0; i < tables_.interfaces.capacity(); ++i)
    publish<Interface>(tables_.interfaces, i, nullptr, tables_.rcu);
}

AdjacencyIndex Forwarding::take_adjacency() {
  // The longer an index is not taken again, the less a session can take one for another.
  if (top_ < k_most_adjacencies - 1) return top_++;
  if (free_->empty()) return 0;
  const AdjacencyIndex index = free_->front();
  free_->pop_front();
  return index;
}

void Forwarding::set(AdjacencyIndex index, const Adjacency& adjacency) {
  publish<Adjacency>(tables_.adjacencies, index, new Adjacency(adjacency), tables_.rcu);
}

void Forwarding::give_back(AdjacencyIndex index) {
  publish<Adjacency>(tables_.adjacencies, index, nullptr, tables_.rcu);
  given_back_.push_back(index);
}

void Forwarding::recycle() {
  if (given_back_.empty()) return;
  tables_.rcu.defer([free = free_, back = std::exchange(given_back_, {})] {
    free->insert(free->end(), back.begin(), back.end());
  });
}

Adjacency Forwarding::made(const NextHop& next_hop) const {
  const Interface& interface = *tables_.interfaces[next_hop.interface];
  Adjacency adjacency{.kind = next_hop.kind, .interface = next_hop.interface, .mtu = interface.mtu};
  if (next_hop.kind == Adjacency::Kind::transit) put_ethernet(adjacency, interface, next_hop.mac);
  return adjacency;
}

void Forwarding::attach(AdjacencyIndex index, InterfaceIndex interface, const MacAddress& mac,
                        uint32_t endpoint) {
  Interface changed = *tables_.interfaces[interface];
  Adjacency adjacency{.kind = Adjacency::Kind::workload,
                      .interface = interface,
                      .mtu = changed.mtu,
                      .endpoint = endpoint};
  put_ethernet(adjacency, changed, mac);
  set(index, adjacency);
  changed.adjacency = index;
  publish<Interface>(tables_.interfaces, interface, new Interface(changed), tables_.rcu);
}

void Forwarding::detach(AdjacencyIndex index) {
  const InterfaceIndex interface = tables_.adjacencies[index]->interface;
  Interface changed = *tables_.interfaces[interface];
  if (changed.adjacency != index) return;
  changed.adjacency = 0;
  publish<Interface>(tables_.interfaces, interface, new Interface(changed), tables_.rcu);
}

AdjacencyIndex Forwarding::shared(const NextHop& next_hop) {
  const auto known = index_of_.find(next_hop);
  if (known != index_of_.end()) return known->second;
  const AdjacencyIndex index = take_adjacency();
  if (index == 0) return 0;
  set(index, made(next_hop));
  index_of_[next_hop] = index;
  shared_[index] = {.next_hop = next_hop};
  return index;
}

void Forwarding::hold(AdjacencyIndex index) {
  if (const auto found = shared_.find(index); found != shared_.end()) ++found->second.routes;
}

void Forwarding::release(AdjacencyIndex index) {
  const auto found = shared_.find(index);
  if (found == shared_.end() || --found->second.routes > 0) return;
  if (!found->second.is_cut) index_of_.erase(found->second.next_hop);
  shared_.erase(found);
  give_back(index);
}

bool Forwarding::set_route(const base::Prefix& destination, const NextHop& next_hop) {
  const AdjacencyIndex index = shared(next_hop);
  if (index == 0) return false;
  set_route(destination, index);
  return true;
}

void Forwarding::set_route(const base::Prefix& destination, AdjacencyIndex adjacency) {
  hold(adjacency);
  release(exchange_route(destination, adjacency));
}

bool Forwarding::erase_route(const base::Prefix& destination) {
  const AdjacencyIndex before = exchange_route(destination, 0);
  release(before);
  return before != 0;
}

AdjacencyIndex Forwarding::exchange_route(const base::Prefix& destination,
                                          AdjacencyIndex adjacency) {
  const auto claim = claims_.find(destination);
  const auto before = claim != claims_.end() ? claim->second.route : route_of(destination);
  if (claim != claims_.end()) claim->second.route = adjacency;
  lead(destination, adjacency);
  return before;
}

// Where packets to the prefix go, when its route is to this adjacency.
void Forwarding::lead(const base::Prefix& destination, AdjacencyIndex adjacency) {
  const auto kind = tables_.adjacencies[adjacency]->kind;
  const auto claim = claims_.find(destination);
  if (claim != claims_.end() && kind != Adjacency::Kind::local && kind != Adjacency::Kind::workload)
    adjacency = claim->second.service;
  const auto change = [&](auto& routes) {
    if (adjacency != 0)
      routes.set(destination, adjacency);
    else
      routes.erase(destination);
  };
  if (destination.family() == base::IPFamily::v4)
    change(tables_.routes4);
  else
    change(tables_.routes6);
}

AdjacencyIndex Forwarding::route_of(const base::Prefix& destination) const {
  return static_cast<AdjacencyIndex>(destination.family() == base::IPFamily::v4
                                         ? tables_.routes4.find(destination)
                                         : tables_.routes6.find(destination));
}

void Forwarding::claim(const base::Prefix& address) {
  if (claims_.contains(address)) return;
  const AdjacencyIndex service = shared({.kind = Adjacency::Kind::service});
  if (service == 0) return;  // all are taken: from outside, the service is not reached
  hold(service);
  const AdjacencyIndex route = route_of(address);
  claims_[address] = {service, route};
  lead(address, route);
}

void Forwarding::release(const base::Prefix& address) {
  const auto claim = claims_.extract(address);
  if (claim.empty()) return;
  lead(address, claim.mapped().route);
  release(claim.mapped().service);
}

void Forwarding::set_interface(InterfaceIndex index, const Interface& interface) {
  publish<Interface>(tables_.interfaces, index, new Interface(interface), tables_.rcu);
  for (const auto& [adjacency, each] : shared_)
    if (each.next_hop.interface == index && !each.is_cut) set(adjacency, made(each.next_hop));
}

void Forwarding::remove_interface(InterfaceIndex index) {
  publish<Interface>(tables_.interfaces, index, nullptr, tables_.rcu);
  for (auto& [adjacency, each] : shared_) {
    if (each.next_hop.kind != Adjacency::Kind::transit || each.next_hop.interface != index)
      continue;
    if (std::exchange(each.is_cut, true)) continue;
    index_of_.erase(each.next_hop);
    set(adjacency, {});
  }
}

}  // namespace margay::vector
