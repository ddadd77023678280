#include "vector/parse/parse.h"

#include <algorithm>

#include "vector/parse/address.h"
#include "vector/parse/bytes.h"
#include "vector/parse/checksum.h"
#include "vector/parse/ip_protocol.h"

namespace margay::vector {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr size_t k_max_packet = 65535;
// In front of IP; with the longest extension headers (8 of 2 KiB) every offset fits in 16 bits.
constexpr size_t k_max_front = 4096;

// ---- transport ----

bool is_icmp_error(uint8_t proto, uint8_t type) {
  if (proto == protocol::k_icmpv6)
    return type >= icmpv6::k_unreachable && type <= icmpv6::k_parameter_problem;
  return type == icmp::k_unreachable || type == icmp::k_source_quench || type == icmp::k_redirect ||
         type == icmp::k_time_exceeded || type == icmp::k_parameter_problem;
}

void read_ports(const uint8_t* header, Parsed& out) {
  out.source_port = load_be<uint16_t>(header);
  out.destination_port = load_be<uint16_t>(header + 2);
}

void read_icmp(const uint8_t* header, Parsed& out) {
  out.icmp_type = header[0];
  out.icmp_code = header[1];
  if (icmp_has_identifier(out.protocol, out.icmp_type))
    out.source_port = out.destination_port = load_be<uint16_t>(header + 4);
  else if (!is_icmp_error(out.protocol, out.icmp_type))
    out.source_port = load_be<uint16_t>(header);
}

DropReason parse_tcp(Bytes segment, Parsed& out) {
  if (segment.size() < k_tcp_header) return DropReason::bad_l4_header;
  read_ports(segment.data(), out);
  out.tcp_flags = segment[13];
  const size_t header = size_t{segment[12]} >> 4 << 2;
  return header < k_tcp_header || header > segment.size() ? DropReason::bad_l4_header
                                                          : DropReason::none;
}

// The length may leave bytes behind it (RFC 768 does not forbid that), but not reach beyond, except
// in a fragment. Zero is for jumbograms only (RFC 2675 section 4).
DropReason parse_udp(Bytes segment, Parsed& out) {
  if (segment.size() < k_udp_header) return DropReason::bad_l4_header;
  read_ports(segment.data(), out);
  const size_t length = load_be<uint16_t>(&segment[4]);
  const bool too_long = length > segment.size() && !(out.flags & k_fragment);
  return length < k_udp_header || too_long ? DropReason::bad_l4_header : DropReason::none;
}

DropReason parse_udplite(Bytes segment, Parsed& out) {
  if (segment.size() < k_udp_header) return DropReason::bad_l4_header;
  read_ports(segment.data(), out);
  const size_t coverage = load_be<uint16_t>(&segment[4]);  // RFC 3828 section 3.1
  if (coverage == 0) return DropReason::none;
  const bool too_long = coverage > segment.size() && !(out.flags & k_fragment);
  return coverage < k_udp_header || too_long ? DropReason::bad_l4_header : DropReason::none;
}

DropReason parse_icmp(Bytes segment, Parsed& out) {
  if (segment.size() < k_icmp_header) return DropReason::bad_l4_header;
  read_icmp(segment.data(), out);
  if (!is_icmp_error(out.protocol, out.icmp_type)) return DropReason::none;
  const size_t quoted_header = out.family == 4 ? k_ipv4_header : k_ipv6_header;
  if (out.flags & k_fragment || segment.size() < k_icmp_header + quoted_header)
    return DropReason::icmp_error_bad_quote;
  out.flags |= k_icmp_error;
  out.quote_offset = static_cast<uint16_t>(out.l4_offset + k_icmp_header);
  return DropReason::none;
}

DropReason parse_transport(Bytes segment, Parsed& out) {
  switch (out.protocol) {
    case protocol::k_tcp:
      return parse_tcp(segment, out);
    case protocol::k_udp:
      return parse_udp(segment, out);
    case protocol::k_udplite:
      return parse_udplite(segment, out);
    case protocol::k_sctp:
      if (segment.size() < k_sctp_header) return DropReason::bad_l4_header;
      read_ports(segment.data(), out);
      return DropReason::none;
    case protocol::k_icmp:
      if (out.family != 4) return DropReason::none;  // means nothing over IPv6
      return parse_icmp(segment, out);
    case protocol::k_icmpv6:
      if (out.family != 6) return DropReason::none;
      return parse_icmp(segment, out);
    default:
      return DropReason::none;
  }
}

// A first fragment has all headers (RFC 7112); else policy would be judged on what it hides.
DropReason parse_first_or_whole(Bytes segment, Parsed& out) {
  const auto reason = parse_transport(segment, out);
  if (reason == DropReason::bad_l4_header && out.flags & k_fragment)
    return DropReason::fragment_bad;
  return reason;
}

// ---- fragments ----

struct Fragment {
  size_t offset = 0;
  bool more = false;
};

// RFC 791 3.2, RFC 8200 4.5; RFC 1858 3.2 (a second fragment that would rewrite TCP's flags).
DropReason check_fragment(Fragment fragment, size_t bytes, const Parsed& out) {
  if (bytes == 0 || (fragment.more && bytes % 8 != 0)) return DropReason::fragment_bad;
  if (fragment.offset + bytes > k_max_packet) return DropReason::fragment_bad;
  if (fragment.offset == 8 && out.protocol == protocol::k_tcp) return DropReason::fragment_bad;
  return DropReason::none;
}

// ---- IPv4 ----

// RFC 791 3.1; loose and strict source routes (131, 137) are refused (RFC 7126 4.3, 4.4).
DropReason check_options(Bytes options) {
  for (size_t at = 0; at < options.size();) {
    const uint8_t type = options[at];
    if (type == 0) break;
    if (type == 1) {
      ++at;
      continue;
    }
    if (type == 131 || type == 137 || at + 1 >= options.size()) return DropReason::bad_ip_option;
    const size_t length = options[at + 1];
    if (length < 2 || length > options.size() - at) return DropReason::bad_ip_option;
    at += length;
  }
  return DropReason::none;
}

Fragment read_ipv4_fragment(const uint8_t* ip, Parsed& out) {
  const auto field = load_be<uint16_t>(ip + 6);
  const Fragment fragment{.offset = size_t{field & 0x1fffu} * 8, .more = (field & 0x2000) != 0};
  if (fragment.offset == 0 && !fragment.more) return fragment;
  out.flags |= k_fragment;
  if (fragment.offset != 0) out.flags |= k_later_fragment;
  out.fragment_offset = out.l3_offset;
  return fragment;
}

DropReason check_ipv4_addresses(const uint8_t* ip, Parsed& out) {
  const auto source = load_be<uint32_t>(ip + 12);
  const auto destination = load_be<uint32_t>(ip + 16);
  if (ipv4_forbidden(source)) return DropReason::bad_source_address;
  if (ipv4_forbidden(destination)) return DropReason::bad_destination_address;
  if (ipv4_link_local(source) || ipv4_link_local(destination)) out.flags |= k_link_local;
  return DropReason::none;
}

DropReason parse_ipv4(Bytes ip, Parsed& out) {
  if (ip.size() < k_ipv4_header) return DropReason::truncated;
  if (ip[0] >> 4 != 4) return DropReason::bad_ip_version;
  const size_t header = size_t{ip[0] & 0x0fu} * 4;
  const size_t total = load_be<uint16_t>(&ip[2]);
  if (header < k_ipv4_header || header > ip.size()) return DropReason::bad_ip_header_length;
  if (total < header || total > ip.size()) return DropReason::bad_ip_total_length;
  // RFC 1812 4.2.2.5
  if (!ipv4_checksum_right(ip.data(), header)) return DropReason::bad_ip_checksum;

  out.l3_length = static_cast<uint16_t>(total);
  out.l4_offset = static_cast<uint16_t>(out.l3_offset + header);
  out.protocol = ip[9];
  auto reason = check_options(ip.subspan(k_ipv4_header, header - k_ipv4_header));
  if (reason == DropReason::none) reason = check_ipv4_addresses(ip.data(), out);
  if (reason != DropReason::none) return reason;

  const auto fragment = read_ipv4_fragment(ip.data(), out);
  const auto segment = ip.subspan(header, total - header);
  if (out.flags & k_fragment) {
    reason = check_fragment(fragment, segment.size(), out);
    if (reason != DropReason::none || out.flags & k_later_fragment) return reason;
  }
  return parse_first_or_whole(segment, out);
}

// ---- IPv6 ----

// The walk along the extension headers: where it is, and the header it has found there.
struct Chain {
  size_t at = k_ipv6_header;
  uint8_t next;  // what stands at `at`
  Fragment fragment{};
  bool fragment_seen = false;
};

// RFC 8200 4.2 and RFC 4302 2.2: the bytes of the header at `at`; 0 when they are not all there.
size_t extension_bytes(Bytes ip, const Chain& chain) {
  if (ip.size() - chain.at < 8) return 0;
  const size_t units = ip[chain.at + 1];
  const size_t bytes = chain.next == protocol::k_fragment ? k_fragment_header
                       : chain.next == protocol::k_ah     ? (units + 2) * 4
                                                          : (units + 1) * 8;
  return bytes <= ip.size() - chain.at ? bytes : 0;
}

bool is_extension(uint8_t next) {
  return next == protocol::k_hop_by_hop || next == protocol::k_routing ||
         next == protocol::k_fragment || next == protocol::k_ah ||
         next == protocol::k_destination_options;
}

// Whether the header may be there, and says nothing that we refuse.
bool acceptable(Bytes ip, const Chain& chain, size_t bytes) {
  const uint8_t* header = ip.data() + chain.at;
  switch (chain.next) {
    case protocol::k_hop_by_hop:  // RFC 8200 4.1: first or nowhere
      return chain.at == k_ipv6_header;
    case protocol::k_routing:  // RFC 5095; segments left
      return header[2] != 0 && header[3] == 0;
    case protocol::k_fragment:
      return !chain.fragment_seen;
    case protocol::k_ah:
      return bytes >= 12;
    default:
      return true;
  }
}

void read_ipv6_fragment(const uint8_t* header, Chain& chain, Parsed& out) {
  chain.fragment_seen = true;
  const auto field = load_be<uint16_t>(header + 2);
  chain.fragment = {.offset = field & 0xfff8u, .more = (field & 1) != 0};
  if (chain.fragment.offset == 0 && !chain.fragment.more) return;  // RFC 6946
  out.flags |= k_fragment;
  if (chain.fragment.offset != 0) out.flags |= k_later_fragment;
  out.fragment_offset = static_cast<uint16_t>(out.l3_offset + chain.at);
}

// To the transport header, or the fragment's first byte.
DropReason walk(Bytes ip, Chain& chain, Parsed& out) {
  for (unsigned count = 0; is_extension(chain.next); ++count) {
    if (count == k_max_extension_headers) return DropReason::too_many_extension_headers;
    const size_t bytes = extension_bytes(ip, chain);
    if (bytes == 0 || !acceptable(ip, chain, bytes)) return DropReason::bad_extension_header;
    const uint8_t* header = ip.data() + chain.at;
    if (chain.next == protocol::k_fragment) read_ipv6_fragment(header, chain, out);
    chain.next = header[0];
    chain.at += bytes;
    if (out.flags & k_later_fragment) break;
  }
  out.protocol = chain.next;
  out.l4_offset = static_cast<uint16_t>(out.l3_offset + chain.at);
  return DropReason::none;
}

DropReason parse_ipv6(Bytes ip, Parsed& out) {
  if (ip.size() < k_ipv6_header) return DropReason::truncated;
  if (ip[0] >> 4 != 6) return DropReason::bad_ip_version;
  const size_t total = k_ipv6_header + load_be<uint16_t>(&ip[4]);
  if (total > ip.size() || total > k_max_packet) return DropReason::bad_ip_total_length;
  out.l3_length = static_cast<uint16_t>(total);
  out.l4_offset = static_cast<uint16_t>(out.l3_offset + k_ipv6_header);
  out.protocol = ip[6];

  const uint8_t* source = &ip[8];
  const uint8_t* destination = &ip[24];
  if (ipv6_forbidden(source)) return DropReason::bad_source_address;
  if (ipv6_forbidden(destination)) return DropReason::bad_destination_address;
  if (ipv6_link_local(source) || ipv6_link_local(destination)) out.flags |= k_link_local;

  ip = ip.first(total);
  Chain chain{.next = ip[6]};
  auto reason = walk(ip, chain, out);
  if (reason != DropReason::none) return reason;
  const auto segment = ip.subspan(chain.at);
  if (out.flags & k_fragment) {
    reason = check_fragment(chain.fragment, segment.size(), out);
    if (reason != DropReason::none || out.flags & k_later_fragment) return reason;
  }
  return parse_first_or_whole(segment, out);
}

// ---- quotes ----

DropReason read_quoted_transport(Bytes segment, Parsed& out) {
  switch (out.protocol) {
    case protocol::k_tcp:
    case protocol::k_udp:
    case protocol::k_udplite:
    case protocol::k_sctp:
      if (segment.size() < 8) return DropReason::icmp_error_bad_quote;
      read_ports(segment.data(), out);
      if (out.protocol == protocol::k_tcp && segment.size() > 13) out.tcp_flags = segment[13];
      return DropReason::none;
    case protocol::k_icmp:
    case protocol::k_icmpv6:
      if ((out.protocol == protocol::k_icmp) != (out.family == 4)) return DropReason::none;
      if (segment.size() < k_icmp_header) return DropReason::icmp_error_bad_quote;
      read_icmp(segment.data(), out);
      // RFC 1122 3.2.2, RFC 4443 2.4 (e): no error is about an error.
      return is_icmp_error(out.protocol, out.icmp_type) ? DropReason::icmp_error_bad_quote
                                                        : DropReason::none;
    default:
      return DropReason::none;
  }
}

DropReason read_quoted_ipv4(Bytes ip, Parsed& out) {
  if (ip[0] >> 4 != 4) return DropReason::icmp_error_bad_quote;
  const size_t header = size_t{ip[0] & 0x0fu} * 4;
  const size_t total = load_be<uint16_t>(&ip[2]);
  if (header < k_ipv4_header || total < header || header > ip.size())
    return DropReason::icmp_error_bad_quote;
  ip = ip.first(std::min(total, ip.size()));
  out.l3_length = static_cast<uint16_t>(ip.size());
  out.l4_offset = static_cast<uint16_t>(out.l3_offset + header);
  out.protocol = ip[9];
  read_ipv4_fragment(ip.data(), out);
  if (out.flags & k_later_fragment) return DropReason::none;
  return read_quoted_transport(ip.subspan(header), out);
}

DropReason read_quoted_ipv6(Bytes ip, Parsed& out) {
  if (ip[0] >> 4 != 6) return DropReason::icmp_error_bad_quote;
  ip = ip.first(std::min(k_ipv6_header + load_be<uint16_t>(&ip[4]), ip.size()));
  out.l3_length = static_cast<uint16_t>(ip.size());
  Chain chain{.next = ip[6]};
  if (walk(ip, chain, out) != DropReason::none) return DropReason::icmp_error_bad_quote;
  if (out.flags & k_later_fragment) return DropReason::none;
  return read_quoted_transport(ip.subspan(chain.at), out);
}

}  // namespace

DropReason parse(std::span<const uint8_t> packet, uint16_t l3_offset, uint8_t family, Parsed& out) {
  out = {.family = family, .l3_offset = l3_offset};
  if (l3_offset > std::min(packet.size(), k_max_front)) return DropReason::truncated;
  const auto ip = packet.subspan(l3_offset);
  if (family == 4) return parse_ipv4(ip, out);
  if (family == 6) return parse_ipv6(ip, out);
  return DropReason::bad_ip_version;
}

DropReason parse_quote(std::span<const uint8_t> packet, const Parsed& error, Parsed& out) {
  out = {.family = error.family, .l3_offset = error.quote_offset};
  const bool v4 = error.family == 4;
  const size_t end = std::min<size_t>(error.l3_offset + error.l3_length, packet.size());
  const size_t header = v4 ? k_ipv4_header : k_ipv6_header;
  if (!(error.flags & k_icmp_error) || end < error.quote_offset + header)
    return DropReason::icmp_error_bad_quote;

  const auto quote = packet.subspan(error.quote_offset, end - error.quote_offset);
  const uint8_t* outer = packet.data() + error.l3_offset;
  const bool to_sender = v4 ? std::memcmp(outer + 16, quote.data() + 12, 4) == 0
                            : std::memcmp(outer + 24, quote.data() + 8, 16) == 0;
  if (!to_sender) return DropReason::icmp_error_bad_quote;
  return v4 ? read_quoted_ipv4(quote, out) : read_quoted_ipv6(quote, out);
}

}  // namespace margay::vector
