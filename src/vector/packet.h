#pragma once

// What nodes tell each other about a packet: kept in the packet buffer's own second cache line, in
// the room that DPDK reserves for applications (rte_mbuf_dyn.h), so that it costs no line of its
// own.

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include <cstdint>

#include "base/result.h"
#include "vector/adjacency.h"
#include "vector/drop_reason.h"
#include "vector/parsed.h"

namespace margay::vector {

enum PacketMark : uint8_t {
  k_install_stub = 1 << 0,  // handed over so that the reverse direction finds its owner
  k_own = 1 << 1,           // made here: forwarded without policy
  k_handed_over = 1 << 2,   // comes from another worker: its flow is ours
  k_forget_stub = 1 << 3,   // no packet: a word to another worker (nodes/handoff.cpp)
  k_out_where_in = 1 << 4,  // leaves through the interface that it came in by
  k_reassembled = 1 << 5,   // a fragment that knows its ports
  k_traced = 1 << 6,
};

struct PacketMeta {
  Parsed parsed;
  InterfaceIndex interface;  // where it came in
  AdjacencyIndex adjacency;  // where it goes
  uint8_t marks;             // PacketMark
  DropReason reason;
  uint16_t hash_high;  // FlowKey::hash of its tuple, all that is used of it
  uint32_t hash_low;
  uint32_t session;  // SessionRef; with k_install_stub: stub_at << 16 | the owner
  uint64_t hash() const { return uint64_t{hash_high} << 48 | hash_low; }
};
static_assert(sizeof(PacketMeta) == 36 && alignof(PacketMeta) == 4);
static_assert(sizeof(PacketMeta) <= sizeof(rte_mbuf::dynfield1));

inline PacketMeta& meta(rte_mbuf* packet) {
  return *reinterpret_cast<PacketMeta*>(packet->dynfield1);
}
inline uint8_t* bytes(rte_mbuf* packet) { return rte_pktmbuf_mtod(packet, uint8_t*); }

// Claims the room, once in a process. Fails when something else has taken it.
base::Result<> reserve_packet_meta();

}  // namespace margay::vector
