#pragma once

// ICMP messages of our own: errors about packets that we drop, and answers to echo requests. Both
// families; results are IP packets, without a link header.

#include <cstdint>
#include <span>

#include "vector/parsed.h"

namespace margay::vector {

enum class IcmpError : uint8_t {
  time_exceeded,     // the hop limit, in transit
  net_unreachable,   // no route
  host_unreachable,  // no neighbour
  port_unreachable,
  admin_prohibited,
  too_big,  // IPv4: fragmentation needed
};

// What an error may be long: RFC 1812 4.3.2.3 and RFC 4443 2.4 (c).
inline constexpr size_t k_max_icmp_error4 = 576, k_max_icmp_error6 = 1280;

// Whether an error may be sent about a packet. `parsed` is what `parse` said of it, with no reason
// to drop; the frame was not for a group of stations. Not about (RFC 1122 3.2.2, RFC 1812 4.3.2.7,
// RFC 4443 2.4 (e)) ICMP errors and redirects, fragments other than the first, packets that are not
// from or to a single host. ICMP of a type that is not known might be an error.
bool may_be_answered(std::span<const uint8_t> packet, const Parsed& parsed);

// Writes the error into `out`, from `source` (4 or 16 bytes of the packet's family) to where the
// packet came from, quoting as much as may be. `mtu` is for too_big. Returns its length; 0 when the
// packet may not be answered. `out` has k_max_icmp_error4 or 6 bytes, and is not the packet.
size_t build_icmp_error(IcmpError error, uint32_t mtu, std::span<const uint8_t> packet,
                        const Parsed& parsed, const uint8_t* source, std::span<uint8_t> out);

// Turns an echo request to ourselves into its reply, in place: RFC 1122 3.2.2.6, RFC 4443 4.2.
// False, and nothing changed, if it is none, is a fragment, or has a wrong checksum (then it is
// dropped).
bool make_echo_reply(std::span<uint8_t> packet, const Parsed& parsed);

}  // namespace margay::vector
