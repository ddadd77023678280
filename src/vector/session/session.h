#pragma once

// A flow that was let through, both directions in one record: 64 bytes for IPv4, 128 for IPv6.
// Each direction's addresses and ports are kept as its packets carry them on arrival. What they are
// rewritten to needs no room: a packet leaves with the other direction's tuple turned around, which
// for a flow without translation is what it came with.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace margay::vector {

// As in the packet: network order. What stands for ports in ICMP: Parsed.
struct Tuple4 {
  uint32_t source = 0, destination = 0;
  uint16_t source_port = 0, destination_port = 0;
  bool operator==(const Tuple4& other) const {
    uint64_t a = 0, b = 0;
    std::memcpy(&a, this, 8);
    std::memcpy(&b, &other, 8);
    return a == b && source_port == other.source_port && destination_port == other.destination_port;
  }
};
struct Tuple6 {
  std::array<uint8_t, 16> source{}, destination{};
  uint16_t source_port = 0, destination_port = 0;
  bool operator==(const Tuple6&) const = default;
};
static_assert(sizeof(Tuple4) == 12 && sizeof(Tuple6) == 36);

template <typename Tuple>
Tuple reversed(const Tuple& t) {
  return {t.destination, t.source, t.destination_port, t.source_port};
}

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

// The same for both directions of a flow that is not translated, so that it also tells which
// worker owns it. Of its bits count the lower 32, for tables, and the
// upper 16, for the owner.
inline uint64_t hash_end(uint64_t address, uint16_t port) {
  const uint64_t mixed =
      (address + (uint64_t{port} << 32) + 0x9e3779b97f4a7c15U) * 0xbf58476d1ce4e5b9U;
  return mixed ^ mixed >> 29;
}
inline uint64_t finish_hash(uint64_t both_ends, uint8_t protocol) {
  uint64_t h = (both_ends + protocol) * 0x94d049bb133111ebU;
  h ^= h >> 32;
  return h * 0x9e3779b97f4a7c15U;
}
inline uint64_t flow_hash(const Tuple4& t, uint8_t protocol) {
  return finish_hash(
      hash_end(t.source, t.source_port) + hash_end(t.destination, t.destination_port), protocol);
}
inline uint64_t hashed(const std::array<uint8_t, 16>& address) {
  uint64_t high = 0, low = 0;
  std::memcpy(&high, address.data(), 8);
  std::memcpy(&low, address.data() + 8, 8);
  return (high ^ high >> 31) * 0xd6e8feb86659fd93U + low;
}
inline uint64_t flow_hash(const Tuple6& t, uint8_t protocol) {
  return finish_hash(hash_end(hashed(t.source), t.source_port) +
                         hash_end(hashed(t.destination), t.destination_port),
                     protocol);
}
// Of `workers`, the one that owns the flow.
inline unsigned owner_of(uint64_t hash, unsigned workers) {
  return static_cast<unsigned>((hash >> 48) * workers >> 16);
}

}  // namespace margay::vector
