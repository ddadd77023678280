#pragma once

// Reads a packet's headers. Every byte of a packet that decides anything is checked here once:
// behind `parse` the packet's offsets lie inside the packet, and its addresses are ones that may be
// forwarded. Nothing is read past the end, whatever the packet says.

#include <cstdint>
#include <span>

#include "vector/drop_reason.h"
#include "vector/parsed.h"

namespace margay::vector {

// Extension headers that are followed in one IPv6 packet (RFC 8504 section 5.3 lets a node limit
// them).
inline constexpr unsigned k_max_extension_headers = 8;

// `packet` begins with whatever is in front of IP; `l3_offset` is where IP starts, `family` (4 or
// 6) what the link said it is. `none`, or why the packet must be dropped; then `out` holds what was
// understood so far.
//
// IPv4 (RFC 791, RFC 1812 4.2): header checksum, lengths, options; source routes are refused.
// IPv6 (RFC 8200): extension headers in any order, hop-by-hop options only first; routing headers
// of type 0 (RFC 5095), or with segments left, are refused: policy would judge another destination
// than the last one. A fragment that is a whole packet (RFC 6946) is none. Addresses: RFC
// 1122 3.2.1.3, RFC 1812 5.3.7, RFC 4291 2.5 and 2.7. Multicast is not forwarded: neighbour
// solicitations have to be taken out before (neighbour.h). ICMP errors must not be fragments: they
// fit in 576 or 1,280 bytes.
DropReason parse(std::span<const uint8_t> packet, uint16_t l3_offset, uint8_t family, Parsed& out);

// Reads the packet that an ICMP error quotes; `error` is what `parse` said of the error itself. The
// quote may end 8 bytes behind its IP header (RFC 792), so `out` has ports, but flags of TCP only
// if they are there, and `l3_length` counts the bytes that are. A quoted ICMP query has its
// identifier as ports. The error must go to where the quoted packet came from. A quoted later
// fragment has k_later_fragment and no ports. `none` or icmp_error_bad_quote.
DropReason parse_quote(std::span<const uint8_t> packet, const Parsed& error, Parsed& out);

}  // namespace margay::vector
