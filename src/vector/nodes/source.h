#pragma once

// Whether a packet's source address is one that may come in where it did: a workload has its own
// addresses, and nobody else has them or the node's.

#include "vector/packet.h"
#include "vector/parse/bytes.h"
#include "vector/tables.h"

namespace margay::vector {

inline AdjacencyIndex route_to(const Tables& tables, uint32_t address) {
  return static_cast<AdjacencyIndex>(tables.routes4.lookup(big_endian(address)));
}
inline AdjacencyIndex route_to(const Tables& tables, const std::array<uint8_t, 16>& address) {
  return static_cast<AdjacencyIndex>(tables.routes6.lookup(address));
}

// `from` is where packets to the source address would go.
inline DropReason check_source(const Tables& tables, const PacketMeta& about, AdjacencyIndex from) {
  const Interface& interface = *tables.interfaces[about.interface];
  if (interface.kind == Interface::Kind::none) return DropReason::interface_down;
  const auto kind = tables.adjacencies[from]->kind;
  const bool is_ours = kind == Adjacency::Kind::workload || kind == Adjacency::Kind::local;
  if (!interface.is_workload) return is_ours ? DropReason::spoofed_source : DropReason::none;
  if (interface.adjacency == 0) return DropReason::endpoint_down;
  return from == interface.adjacency ? DropReason::none : DropReason::spoofed_source;
}

}  // namespace margay::vector
