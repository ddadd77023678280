#pragma once

// What is known of a packet after parsing: where its headers are and which flow it belongs to.
// Ports are in host order. Addresses stay where they are, in the packet.

#include <cstdint>

namespace margay::vector {

enum ParsedFlag : uint8_t {
  k_fragment = 1 << 0,        // any fragment, also the first
  k_later_fragment = 1 << 1,  // without a transport header of its own
  k_icmp_error = 1 << 2,      // quotes a packet; `quote_offset` says where
  k_link_local = 1 << 3,  // an address is: must not leave its link (RFC 3927 2.7, RFC 4291 2.5.6)
};

struct Parsed {
  uint8_t family = 4;     // 4 or 6
  uint8_t protocol = 0;   // of the transport header, behind all extension headers
  uint8_t flags = 0;      // ParsedFlag
  uint8_t tcp_flags = 0;  // the header's byte 13
  uint8_t icmp_type = 0, icmp_code = 0;
  uint16_t l3_offset = 0;  // from the packet's first byte to the IP header
  uint16_t l4_offset = 0;  // to the transport header (or the fragment's first byte)
  uint16_t l3_length = 0;  // of the IP packet: header and payload, without Ethernet padding
  // TCP, UDP, SCTP, UDPLite: the header's. ICMP queries (echo, timestamp, ...): both are the
  // identifier. Other ICMP: the source's is type and code, so that what policy tells apart is not
  // one flow. Everything else: 0.
  uint16_t source_port = 0, destination_port = 0;
  uint16_t quote_offset = 0;  // k_icmp_error: to the quoted IP header
  uint16_t fragment_offset =
      0;  // k_fragment: to the header that says so (IPv4's, or IPv6's fragment)

  bool operator==(const Parsed&) const = default;
};

}  // namespace margay::vector
