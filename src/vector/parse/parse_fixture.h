#pragma once

// Frames for tests of parsing: Ethernet, then IP from 10.0.0.1 to 10.0.0.2 or fd00::1 to fd00::2.

#include "vector/parse/parse.h"
#include "vector/testing/packet_builder.h"

namespace margay::vector::testing {

constexpr uint16_t k_front = k_ethernet_header;

inline PacketBuilder front() {
  PacketBuilder builder;
  builder.ethernet();
  return builder;
}
inline PacketBuilder v4() { return front().ipv4("10.0.0.1", "10.0.0.2"); }
inline PacketBuilder v6() { return front().ipv6("fd00::1", "fd00::2"); }
inline PacketBuilder v6_with_extension_headers(unsigned count) {
  PacketBuilder builder = v6().hop_by_hop();
  while (--count > 0) builder.destination_options();
  return builder;
}

// parse of an exact copy, so that AddressSanitizer sees a read behind the end.
inline DropReason parse_frame(const Bytes& packet, uint8_t family, Parsed& out) {
  const Bytes exact(packet.begin(), packet.end());
  return parse(exact, k_front, family, out);
}

}  // namespace margay::vector::testing
