#pragma once

// Frames of 64 bytes (with the FCS that no buffer holds), each carrying the number of its flow, so
// that whatever comes out can be held against what went in.

#include <cstdint>

#include "vector/packet.h"
#include "vector/session/session.h"

namespace margay::vector::bench {

inline constexpr uint16_t k_frame_bytes = 60;
inline constexpr unsigned k_frame_bytes_on_wire = 64;
inline constexpr uint16_t k_frame6_bytes = 80;  // IPv6 and TCP alone take 74
inline constexpr unsigned k_frame6_bytes_on_wire = 84;

inline constexpr MacAddress k_our_mac{{2, 0, 0, 0, 0, 1}};
inline constexpr MacAddress k_peer_mac{{2, 0, 0, 0, 0, 2}};

// Fills the buffer with a frame from k_peer_mac to k_our_mac. Flags of TCP; for UDP they don't
// count.
void make_frame(rte_mbuf* packet, const Tuple4& tuple, uint8_t protocol, uint8_t tcp_flags,
                uint64_t flow);
void make_frame(rte_mbuf* packet, const Tuple6& tuple, uint8_t protocol, uint8_t tcp_flags,
                uint64_t flow);

uint64_t flow_of(rte_mbuf* packet);

// Everything that a forwarded packet must be: to this MAC address, one hop less to live, with this
// tuple, and every checksum right.
bool is_forwarded(rte_mbuf* packet, const MacAddress& to, const Tuple4& tuple);
bool is_forwarded(rte_mbuf* packet, const MacAddress& to, const Tuple6& tuple);

}  // namespace margay::vector::bench
