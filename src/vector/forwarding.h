#pragma once

// The control side of forwarding: routes and next hops, kept as what workers read. One thread.

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "base/address.h"
#include "vector/tables.h"

namespace margay::vector {

// Where a route leads. Equal ones share an adjacency.
struct NextHop {
  Adjacency::Kind kind = Adjacency::Kind::transit;
  InterfaceIndex interface = 0;  // transit
  MacAddress mac{};              // transit; all zero: not known, packets are dropped
  auto operator<=>(const NextHop&) const = default;
};

class Forwarding {
 public:
  explicit Forwarding(Tables& tables);
  ~Forwarding();

  // An index for the caller to fill with set(); 0 when all are taken.
  AdjacencyIndex take_adjacency();
  void set(AdjacencyIndex index, const Adjacency& adjacency);
  void give_back(AdjacencyIndex index);
  // Sessions that know what was given back will be looked at again before they are used: no worker
  // is still in a round that began earlier once RCU says so. Then it may be taken again.
  void recycle();

  // Makes the adjacency that of a workload behind an interface, and the interface its own. A MAC
  // address of all zeros is not known.
  void attach(AdjacencyIndex index, InterfaceIndex interface, const MacAddress& mac,
              uint32_t endpoint);
  // The interface has no workload any more: what comes in there is dropped.
  void detach(AdjacencyIndex index);
  bool is_attached(AdjacencyIndex index, InterfaceIndex interface) const {
    return index != 0 && tables_.interfaces[interface]->adjacency == index;
  }

  // False: there are too many different next hops.
  bool set_route(const base::Prefix& destination, const NextHop& next_hop);
  // To an adjacency that the caller took.
  void set_route(const base::Prefix& destination, AdjacencyIndex adjacency);
  bool erase_route(const base::Prefix& destination);
  // A service has the address until it is let go: its packets come to sessions, whatever a route to
  // it says meanwhile, unless that is to the node itself or to a workload.
  void claim(const base::Prefix& address);
  void release(const base::Prefix& address);

  // What an interface's Ethernet header and MTU are made from has changed.
  void set_interface(InterfaceIndex index, const Interface& interface);
  void remove_interface(InterfaceIndex index);

 private:
  struct Shared {
    NextHop next_hop;
    size_t routes = 0;
    bool is_cut = false;  // its interface is gone
  };
  // Returns the adjacency that the prefix's route led to; 0: none.
  AdjacencyIndex exchange_route(const base::Prefix& destination, AdjacencyIndex adjacency);
  AdjacencyIndex route_of(const base::Prefix& destination) const;
  void lead(const base::Prefix& destination, AdjacencyIndex adjacency);
  AdjacencyIndex shared(const NextHop& next_hop);
  void hold(AdjacencyIndex index);
  void release(AdjacencyIndex index);
  Adjacency made(const NextHop& next_hop) const;

  Tables& tables_;
  // Deferred releases fill it, which may come after this object's end.
  std::shared_ptr<std::deque<AdjacencyIndex>> free_ =
      std::make_shared<std::deque<AdjacencyIndex>>();
  std::vector<AdjacencyIndex> given_back_;
  AdjacencyIndex top_ = 1;
  std::map<NextHop, AdjacencyIndex> index_of_;
  std::map<AdjacencyIndex, Shared> shared_;
  struct Claim {
    AdjacencyIndex service, route;  // the route's own; 0: there is none
  };
  std::map<base::Prefix, Claim> claims_;
};

}  // namespace margay::vector
