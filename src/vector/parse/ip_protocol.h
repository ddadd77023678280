#pragma once

// Protocol numbers (IANA "Protocol Numbers", "ICMP Type Numbers", "ICMPv6 Parameters") and header
// sizes.

#include <cstddef>
#include <cstdint>

namespace margay::vector {

namespace protocol {
inline constexpr uint8_t k_hop_by_hop = 0, k_icmp = 1, k_tcp = 6, k_udp = 17, k_routing = 43,
                         k_fragment = 44, k_ah = 51, k_icmpv6 = 58, k_none = 59,
                         k_destination_options = 60, k_sctp = 132, k_udplite = 136;
}  // namespace protocol

namespace icmp {
inline constexpr uint8_t k_echo_reply = 0, k_unreachable = 3, k_source_quench = 4, k_redirect = 5,
                         k_echo = 8, k_time_exceeded = 11, k_parameter_problem = 12;
}  // namespace icmp

namespace icmpv6 {
inline constexpr uint8_t k_unreachable = 1, k_packet_too_big = 2, k_time_exceeded = 3,
                         k_parameter_problem = 4, k_echo = 128, k_echo_reply = 129,
                         k_neighbour_solicitation = 135, k_neighbour_advertisement = 136,
                         k_redirect = 137;
}  // namespace icmpv6

// Those with an identifier at bytes 4 and 5: RFC 792, RFC 950, RFC 4443 section 4, RFC 8335.
inline bool icmp_has_identifier(uint8_t proto, uint8_t type) {
  if (proto == protocol::k_icmpv6) return type == 128 || type == 129 || type == 160 || type == 161;
  return type == 0 || type == 8 || (type >= 13 && type <= 18) || type == 42 || type == 43;
}

inline constexpr size_t k_ethernet_header = 14, k_ipv4_header = 20, k_ipv6_header = 40,
                        k_tcp_header = 20, k_udp_header = 8, k_sctp_header = 12, k_icmp_header = 8,
                        k_fragment_header = 8;

}  // namespace margay::vector
