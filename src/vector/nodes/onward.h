#pragma once

// Where a packet goes once its flow's addresses and ports are known.

#include <span>

#include "vector/nodes/tuple.h"
#include "vector/worker.h"

namespace margay::vector {

// Any message of RFC 4861: they go to multicast addresses, which are not forwarded.
inline bool is_neighbour_discovery(std::span<const uint8_t> frame) {
  constexpr size_t k_type = k_ethernet_header + k_ipv6_header;
  return frame.size() > k_type && frame[k_ethernet_header + 6] == protocol::k_icmpv6 &&
         frame[k_type] >= 133 && frame[k_type] <= 137;
}

enum class Onward : uint8_t { session4, session6, lookup4, lookup6 };

// Knows the packet's flow from here on; its session's place is on its way from memory.
template <typename Tuple>
void find_flow(Worker& worker, rte_mbuf* packet) {
  PacketMeta& about = meta(packet);
  const uint64_t hash =
      worker.sessions<Tuple>().hash(tuple_of<Tuple>(packet), about.parsed.protocol);
  set_hash(about, hash);
  worker.sessions<Tuple>().prefetch(hash);
}

// To its session when a workload sends it; an uplink's may be none of ours: to routing.
inline Onward onward(Worker& worker, rte_mbuf* packet) {
  const PacketMeta& about = meta(packet);
  const bool v4 = about.parsed.family == 4;
  if (!worker.tables.interfaces[about.interface]->is_workload)
    return v4 ? Onward::lookup4 : Onward::lookup6;
  if (v4)
    find_flow<Tuple4>(worker, packet);
  else
    find_flow<Tuple6>(worker, packet);
  return v4 ? Onward::session4 : Onward::session6;
}

}  // namespace margay::vector
