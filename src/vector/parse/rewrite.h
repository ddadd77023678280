#pragma once

// Changes a packet that `parse` has accepted: addresses and ports (NAT), hop limit, and the packet
// quoted in an ICMP error. Checksums follow by difference (RFC 1624): a packet that was damaged on
// its way stays recognisably so.

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "vector/parse/checksum.h"
#include "vector/parse/ip_protocol.h"
#include "vector/parsed.h"

namespace margay::vector {

// Both ends of a packet. `Address` is the address's size, 4 or 16; ports are in host order. For
// ICMP queries both ports are the identifier; where there are no ports, they are 0.
template <size_t Address>
struct Ends {
  std::array<uint8_t, Address> source{}, destination{};
  uint16_t source_port = 0, destination_port = 0;

  bool operator==(const Ends&) const = default;
};
using Ends4 = Ends<4>;
using Ends6 = Ends<16>;

// Where the source address stands in the IP header; the destination follows it.
template <size_t Address>
inline constexpr size_t k_source_at = Address == 4 ? 12 : 8;

template <size_t Address>
inline Ends<Address> ends_of(const uint8_t* packet, const Parsed& parsed) {
  Ends<Address> ends{.source_port = parsed.source_port,
                     .destination_port = parsed.destination_port};
  const uint8_t* source = packet + parsed.l3_offset + k_source_at<Address>;
  std::memcpy(ends.source.data(), source, Address);
  std::memcpy(ends.destination.data(), source + Address, Address);
  return ends;
}

// What one direction of a flow becomes. The opposite direction's deltas are the complements.
template <size_t Address>
struct Rewrite {
  Ends<Address> to;
  ChecksumDelta addresses;  // in IPv4's header, and where an offload completes the checksum
  ChecksumDelta transport;  // in the checksum of TCP, UDP, UDPLite, ICMP or ICMPv6
};
using Rewrite4 = Rewrite<4>;
using Rewrite6 = Rewrite<16>;
static_assert(sizeof(Rewrite4) == 16 && sizeof(Rewrite6) == 40);

template <size_t Address>
Rewrite<Address> make_rewrite(uint8_t proto, const Ends<Address>& from, const Ends<Address>& to);

// The state of the packet's transport checksum: complete, or its pseudo header's sum only, because
// an offload (VIRTIO_NET_HDR_F_NEEDS_CSUM) will complete it.
enum class L4Checksum : uint8_t { complete, partial };

// Out of line: everything but TCP and UDP.
template <size_t Address>
bool rewrite_other_transport(uint8_t* l4, const Parsed& parsed, const Rewrite<Address>& rewrite,
                             L4Checksum state);

// Applies a NAT to a packet that is no ICMP error, and of the flow that `rewrite` was made for. Of
// a later fragment only addresses change. False: not possible (other ports for SCTP in fragments,
// whose CRC needs the whole length); the packet is then to be dropped.
template <size_t Address>
[[nodiscard]] inline bool apply(const Rewrite<Address>& rewrite, uint8_t* packet,
                                const Parsed& parsed, L4Checksum state = L4Checksum::complete) {
  uint8_t* ip = packet + parsed.l3_offset;
  if constexpr (Address == 4) adjust_checksum(ip + 10, rewrite.addresses);
  std::memcpy(ip + k_source_at<Address>, rewrite.to.source.data(), Address);
  std::memcpy(ip + k_source_at<Address> + Address, rewrite.to.destination.data(), Address);
  if (parsed.flags & k_later_fragment) return true;

  uint8_t* l4 = packet + parsed.l4_offset;
  const bool tcp = parsed.protocol == protocol::k_tcp;
  if (!tcp && parsed.protocol != protocol::k_udp)
    return rewrite_other_transport(l4, parsed, rewrite, state);
  store_be(l4, rewrite.to.source_port);
  store_be(l4 + 2, rewrite.to.destination_port);
  if (state == L4Checksum::partial) {
    adjust_partial_checksum(l4 + (tcp ? 16 : 6), rewrite.addresses);
  } else if (tcp) {
    adjust_checksum(l4 + 16, rewrite.transport);
  } else {
    adjust_udp_checksum(l4 + 6, rewrite.transport);
  }
  return true;
}

// Applies a NAT to an ICMP error. `rewrite` is that of the packets which go the error's way: the
// quoted packet went the opposite way, so its source becomes the new destination and so on (RFC
// 5508 section 4.2). `quote` is what `parse_quote` said, with no reason and not k_later_fragment.
// The outer destination becomes the quoted packet's source; the outer source only if the NAT hides
// the quoted packet's destination. Checksums in the quote follow if they are in it, except SCTP's,
// which is over more than is quoted.
template <size_t Address>
void apply_to_icmp_error(const Rewrite<Address>& rewrite, uint8_t* packet, const Parsed& error,
                         const Parsed& quote);

// One hop less, with IPv4's checksum. False, and nothing changed, when none is left (RFC 1812
// 5.3.1, RFC 8200 3).
[[nodiscard]] inline bool decrement_ttl(uint8_t* ip, uint8_t family) {
  uint8_t& hops = ip[family == 4 ? 8 : 7];
  if (hops <= 1) return false;
  --hops;
  if (family == 4) adjust_checksum(ip + 10, {big_endian(static_cast<uint16_t>(~0x0100))});
  return true;
}

}  // namespace margay::vector
