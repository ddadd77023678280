#pragma once

// Who has this address? ARP (RFC 826) and neighbour discovery (RFC 4861), as far as a gateway that
// answers for others needs them: pods ask for 169.254.1.1, or for a link-local address.
//
// Whether to answer is the caller's decision; duplicate address detection never is answered: that
// would take the asker's own address away (RFC 5227 2.1.1, RFC 4862 5.4.3).

#include <array>
#include <cstdint>
#include <span>

#include "net/mac_address.h"
#include "vector/drop_reason.h"

namespace margay::vector {

inline constexpr size_t k_arp_frame = 42;            // Ethernet and ARP; not padded
inline constexpr size_t k_advertisement_frame = 86;  // Ethernet, IPv6, and one option

enum class ArpOperation : uint8_t { request = 1, reply = 2 };

struct Arp {
  ArpOperation operation;
  net::MacAddress sender_mac;
  std::array<uint8_t, 4> sender, target;
};

// `frame` is a whole Ethernet frame of type ARP. `none`, truncated, or bad_l4_header for what is
// not Ethernet and IPv4, no request and no reply, or from a group address.
DropReason parse_arp(std::span<const uint8_t> frame, Arp& out);

// A request that may be answered for another: not a probe (no sender), not an announcement.
bool asks_for_another(const Arp& arp);

// Says that `ours` has the target. `frame` has k_arp_frame bytes, and may be the request's.
void build_arp_reply(const Arp& request, const net::MacAddress& ours, std::span<uint8_t> frame);

struct NeighbourSolicitation {
  std::array<uint8_t, 16> source, target;
  net::MacAddress source_mac;  // of the source link-layer option; else of the frame
  bool detects_duplicates;     // the source is unspecified
};

// Whether the frame, of type IPv6, holds ICMPv6 type 135 right behind its IPv6 header. Those do not
// go to `parse`, which refuses their destinations.
bool is_neighbour_solicitation(std::span<const uint8_t> frame);

// All checks of RFC 4861 section 7.1.1, the checksum among them.
DropReason parse_neighbour_solicitation(std::span<const uint8_t> frame, NeighbourSolicitation& out);

// Says that `ours`, a router, has the target: solicited, overriding, with the target link-layer
// option. `frame` has k_advertisement_frame bytes, and may be the solicitation's. Not for one that
// detects duplicates.
void build_neighbour_advertisement(const NeighbourSolicitation& solicitation,
                                   const net::MacAddress& ours, std::span<uint8_t> frame);

}  // namespace margay::vector
