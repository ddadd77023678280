#pragma once

// The packets that most packets are, in a few cycles: whole TCP and UDP over IPv4 without options
// or IPv6 without extension headers, between addresses that need no second look. True: exactly what
// `parse` says, with no reason to drop. False: nothing is known (`out` may be half written); ask
// `parse`.

#include <concepts>
#include <cstdint>
#include <span>

#include "vector/parse/address.h"
#include "vector/parse/bytes.h"
#include "vector/parse/ip_protocol.h"
#include "vector/parsed.h"

namespace margay::vector {

namespace fast {

// Without a branch for each.
template <std::same_as<bool>... Bool>
inline bool any(Bool... each) {
  return (unsigned{each} | ...) != 0;
}

// The transport header at `l4`, with `bytes` to the packet's end, at least 8.
inline bool ports(const uint8_t* l4, size_t bytes, Parsed& out) {
  const auto words = load_be<uint32_t>(l4);
  out.source_port = static_cast<uint16_t>(words >> 16);
  out.destination_port = static_cast<uint16_t>(words);
  if (out.protocol == protocol::k_tcp) {
    if (bytes < k_tcp_header) return false;
    const size_t header = size_t{l4[12]} >> 4 << 2;
    out.tcp_flags = l4[13];
    return (header >= k_tcp_header) & (header <= bytes);
  }
  const size_t length = load_be<uint16_t>(l4 + 4);
  return (out.protocol == protocol::k_udp) & (length >= k_udp_header) & (length <= bytes);
}

// The header's sum is 0xffff: RFC 791's checksum, for a header of 20 bytes whose first is 0x45.
inline bool ipv4_checksum_right(const uint8_t* ip) {
  uint64_t sum = uint64_t{load<uint32_t>(ip)} + load<uint32_t>(ip + 4) + load<uint32_t>(ip + 8) +
                 load<uint32_t>(ip + 12) + load<uint32_t>(ip + 16);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum == 0xffff) | (sum == 0x1fffe);
}

inline bool ipv4(const uint8_t* ip, size_t bytes, Parsed& out) {
  if (bytes < k_ipv4_header + k_udp_header) return false;
  const auto source = load_be<uint32_t>(ip + 12);
  const auto destination = load_be<uint32_t>(ip + 16);
  const auto total = load_be<uint16_t>(ip + 2);
  const bool unusual =
      any(ip[0] != 0x45, total > bytes, k_ipv4_header + k_udp_header > total,
          (load<uint16_t>(ip + 6) & big_endian(uint16_t{0x3fff})) != 0, !ipv4_checksum_right(ip),
          ipv4_forbidden(source), ipv4_forbidden(destination), ipv4_link_local(source),
          ipv4_link_local(destination));
  if (unusual) return false;
  out.protocol = ip[9];
  out.l3_length = total;
  return ports(ip + k_ipv4_header, total - k_ipv4_header, out);
}

// fe80::/10, multicast, and whatever begins with 64 zeroes are left to `parse`.
inline bool ipv6_unusual(const uint8_t* address) {
  return (address[0] >= 0xfe) | (load<uint64_t>(address) == 0);
}

inline bool ipv6(const uint8_t* ip, size_t bytes, Parsed& out) {
  if (bytes < k_ipv6_header + k_udp_header) return false;
  const size_t payload = load_be<uint16_t>(ip + 4);
  const bool unusual =
      any(ip[0] >> 4 != 6, k_udp_header > payload, payload > bytes - k_ipv6_header,
          payload > 65535 - k_ipv6_header, ipv6_unusual(ip + 8), ipv6_unusual(ip + 24));
  if (unusual) return false;
  out.protocol = ip[6];
  out.l3_length = static_cast<uint16_t>(payload + k_ipv6_header);
  return ports(ip + k_ipv6_header, payload, out);
}

}  // namespace fast

inline bool parse_fast(std::span<const uint8_t> packet, uint16_t l3_offset, uint8_t family,
                       Parsed& out) {
  if (packet.size() < l3_offset) return false;
  const uint8_t* ip = packet.data() + l3_offset;
  const size_t bytes = packet.size() - l3_offset;
  out = {.family = family, .l3_offset = l3_offset};
  if (family == 4) {
    out.l4_offset = static_cast<uint16_t>(l3_offset + k_ipv4_header);
    return fast::ipv4(ip, bytes, out);
  }
  out.l4_offset = static_cast<uint16_t>(l3_offset + k_ipv6_header);
  return family == 6 && fast::ipv6(ip, bytes, out);
}

}  // namespace margay::vector
