#pragma once

// What tells flows apart, beside the protocol: addresses and ports of one direction.

#include <array>
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

}  // namespace margay::vector
