#pragma once

// A flow that was let through, both directions in one record: 64 bytes for IPv4, 128 for IPv6.
// Each direction's addresses and ports are kept as its packets carry them on arrival. What they are
// rewritten to needs no room: a packet leaves with the other direction's tuple turned around, which
// for a flow without translation is what it came with.

#include <cstddef>
#include <cstdint>

#include "vector/session/tuple.h"

namespace margay::vector {

enum SessionFlag : uint16_t {
  k_live = 1 << 0,
  k_translated = 1 << 1,       // addresses or ports change on the way
  k_owned_elsewhere = 1 << 2,  // only says which worker has the flow; adjacency[0] is its number
  k_has_stub = 1 << 3,         // another worker has such a record for the reverse direction
  k_service = 1 << 4,          // the destination was a service
};

// Follows a TCP connection's opening and closing as far as timeouts need it.
enum TcpState : uint8_t {
  k_syn_forward = 1 << 0,
  k_syn_reverse = 1 << 1,
  k_established = 1 << 2,  // an ACK without SYN was seen from the opener after both SYNs
  k_fin_forward = 1 << 3,
  k_fin_reverse = 1 << 4,
  k_reset = 1 << 5,
};

enum class FlowDirection : uint8_t { forward = 0, reverse = 1 };

template <typename Tuple>
struct alignas(64) Session {
  Tuple tuple[2];  // by FlowDirection
  uint8_t protocol;
  uint8_t state;       // TCP: TcpState; ICMP: icmp_opener()
  uint16_t flags;      // SessionFlag
  uint32_t last_seen;  // milliseconds, wraps
  uint32_t epoch;      // of the configuration that it was judged under; 0: none, judge it again
  uint16_t adjacency[2];
  // What translation in the forward direction adds to the checksums of the IPv4 header and of the
  // transport (RFC 1624); the reverse direction subtracts it.
  uint16_t ip_checksum_delta, l4_checksum_delta;
  uint32_t packets[2];
  uint32_t bytes_low[2];
  uint16_t bytes_high[2];

  uint64_t bytes(FlowDirection direction) const {
    const auto d = static_cast<size_t>(direction);
    return uint64_t{bytes_high[d]} << 32 | bytes_low[d];
  }
  void count(FlowDirection direction, uint32_t packet_bytes) {
    const auto d = static_cast<size_t>(direction);
    const uint64_t total = bytes(direction) + packet_bytes;
    bytes_low[d] = static_cast<uint32_t>(total);
    bytes_high[d] = static_cast<uint16_t>(total >> 32);
    ++packets[d];
  }
};
using Session4 = Session<Tuple4>;
using Session6 = Session<Tuple6>;
static_assert(sizeof(Session4) == 64 && sizeof(Session6) == 128);

}  // namespace margay::vector
