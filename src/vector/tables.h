#pragma once

// What all workers read and only the control thread writes.

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "vector/adjacency.h"
#include "vector/parse/reassembly.h"
#include "vector/prefix_map.h"
#include "vector/rcu.h"
#include "vector/session/flow_key.h"
#include "vector/session/session.h"

namespace margay::vector {

// How long a session lives without a packet, in milliseconds.
struct Timeouts {
  uint32_t tcp_opening = 60'000;
  uint32_t tcp_established = 86'400'000;
  uint32_t tcp_closing = 60'000;
  uint32_t tcp_reset = 10'000;
  uint32_t udp_one_way = 30'000;
  uint32_t udp = 180'000;
  uint32_t icmp = 30'000;
  uint32_t other = 600'000;
};

// Whether a change of policy applies to flows that are established already.
enum class PolicyChangeAppliesTo : uint8_t { new_flows, all_flows };

struct Limits {
  uint32_t sessions4 = 1 << 20, sessions6 = 1 << 19;  // of each worker
  // Of each workload on each worker: an eighth of the IPv4 table, so that one alone cannot fill it.
  uint32_t sessions_of_endpoint = 1 << 17;
  Reassembly::Limits reassembly;  // of each worker
};

class PolicyView;
class ServiceTable;

struct PolledQueue {
  InterfaceIndex interface;
  uint16_t port, queue;
};

// The node's own addresses: what ICMP errors come from, and what stands in for a client's address
// when it is translated.
struct NodeAddresses {
  std::optional<uint32_t> v4;  // network order
  std::optional<std::array<uint8_t, 16>> v6;
  bool has(const Tuple4&) const { return v4.has_value(); }
  bool has(const Tuple6&) const { return v6.has_value(); }
  void put(uint32_t& address) const { address = *v4; }
  void put(std::array<uint8_t, 16>& address) const { address = *v6; }
};

struct Tables {
  explicit Tables(unsigned workers, const Limits& limits);

  const unsigned workers;
  const Limits limits;
  const FlowKey flow_key = FlowKey::random();
  Timeouts timeouts;
  PolicyChangeAppliesTo policy_change_applies_to = PolicyChangeAppliesTo::new_flows;

  // Grows with every change that could alter what becomes of a flow; sessions that were judged
  // under an earlier one are looked at again when their next packet comes.
  std::atomic<uint32_t> epoch = 1;

  mutable Rcu rcu;
  Published<Adjacency> adjacencies{k_most_adjacencies};
  Published<Interface> interfaces{k_most_interfaces};
  // To an AdjacencyIndex; adjacency 0 is never used.
  PrefixMap4 routes4{rcu};
  PrefixMap6 routes6{rcu};
  Published<NodeAddresses> node_addresses{1};
  // Set before the first packet.
  const PolicyView* policy = nullptr;
  const ServiceTable* services = nullptr;
};

}  // namespace margay::vector
