#pragma once

// Ethernet II (RFC 894, RFC 2464): what a frame holds, and for whom it is.

#include <cstdint>
#include <cstring>
#include <span>

#include "net/mac_address.h"
#include "vector/drop_reason.h"
#include "vector/parse/bytes.h"
#include "vector/parse/ip_protocol.h"

namespace margay::vector {

enum class EtherType : uint16_t { ipv4 = 0x0800, arp = 0x0806, ipv6 = 0x86dd };

// 4 or 6, as `parse` wants it; 0 for ARP.
inline uint8_t family_of(EtherType type) {
  return type == EtherType::ipv4 ? 4 : type == EtherType::ipv6 ? 6 : 0;
}

// Frames to `ours`, and to groups: ARP requests and neighbour solicitations are. Tagged frames
// (802.1Q) are of no type we know.
inline DropReason parse_ethernet(std::span<const uint8_t> frame, const net::MacAddress& ours,
                                 EtherType& type) {
  if (frame.size() < k_ethernet_header) return DropReason::truncated;
  const bool to_group = (frame[0] & 1) != 0;
  if (!to_group && std::memcmp(frame.data(), ours.bytes.data(), 6) != 0)
    return DropReason::not_our_mac;
  type = EtherType{load_be<uint16_t>(&frame[12])};
  const bool known = type == EtherType::ipv4 || type == EtherType::ipv6 || type == EtherType::arp;
  return known ? DropReason::none : DropReason::bad_ethernet_type;
}

inline void write_ethernet(uint8_t* at, const net::MacAddress& destination,
                           const net::MacAddress& source, EtherType type) {
  std::memcpy(at, destination.bytes.data(), 6);
  std::memcpy(at + 6, source.bytes.data(), 6);
  store_be(at + 12, static_cast<uint16_t>(type));
}

}  // namespace margay::vector
