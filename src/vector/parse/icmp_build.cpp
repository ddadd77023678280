#include "vector/parse/icmp_build.h"

#include <algorithm>
#include <cstring>

#include "vector/parse/address.h"
#include "vector/parse/bytes.h"
#include "vector/parse/checksum.h"
#include "vector/parse/ip_protocol.h"

namespace margay::vector {
namespace {

constexpr uint8_t k_hops = 64;

struct TypeAndCode {
  uint8_t type, code;
};

// RFC 792, RFC 1812 5.2.7.1; RFC 4443 section 3.
TypeAndCode type_and_code(IcmpError error, uint8_t family) {
  const bool v4 = family == 4;
  switch (error) {
    case IcmpError::time_exceeded:
      return v4 ? TypeAndCode{icmp::k_time_exceeded, 0} : TypeAndCode{icmpv6::k_time_exceeded, 0};
    case IcmpError::net_unreachable:
      return v4 ? TypeAndCode{icmp::k_unreachable, 0} : TypeAndCode{icmpv6::k_unreachable, 0};
    case IcmpError::host_unreachable:
      return v4 ? TypeAndCode{icmp::k_unreachable, 1} : TypeAndCode{icmpv6::k_unreachable, 3};
    case IcmpError::port_unreachable:
      return v4 ? TypeAndCode{icmp::k_unreachable, 3} : TypeAndCode{icmpv6::k_unreachable, 4};
    case IcmpError::admin_prohibited:
      return v4 ? TypeAndCode{icmp::k_unreachable, 13} : TypeAndCode{icmpv6::k_unreachable, 1};
    case IcmpError::too_big:
      break;
  }
  return v4 ? TypeAndCode{icmp::k_unreachable, 4} : TypeAndCode{icmpv6::k_packet_too_big, 0};
}

// Not an error, as far as anybody knows. RFC 4443 2.1: errors are below 128.
bool is_query(const Parsed& parsed) {
  if (parsed.protocol == protocol::k_icmp && parsed.family == 4)
    return icmp_has_identifier(parsed.protocol, parsed.icmp_type) || parsed.icmp_type == 9 ||
           parsed.icmp_type == 10;
  if (parsed.protocol == protocol::k_icmpv6 && parsed.family == 6)
    return parsed.icmp_type >= 128 && parsed.icmp_type != icmpv6::k_redirect;
  return true;
}

// RFC 792; RFC 1191 section 4 (the MTU in the low half), RFC 4443 3.2.
void write_icmp(uint8_t* message, TypeAndCode what, uint32_t rest) {
  message[0] = what.type;
  message[1] = what.code;
  store(message + 2, uint16_t{0});
  store_be(message + 4, rest);
}

// Precedence 6 (RFC 1812 4.3.2.5); atomic, so that no identification is needed (RFC 6864).
void write_ipv4(uint8_t* ip, const uint8_t* source, const uint8_t* destination, size_t length) {
  store_be(ip, uint32_t{0x45c00000} | static_cast<uint32_t>(length));
  store_be(ip + 4, uint32_t{0x00004000});
  ip[8] = k_hops;
  ip[9] = protocol::k_icmp;
  store(ip + 10, uint16_t{0});
  std::memcpy(ip + 12, source, 4);
  std::memcpy(ip + 16, destination, 4);
  store(ip + 10, checksum(ones_sum(ip, k_ipv4_header)));
}

void write_ipv6(uint8_t* ip, const uint8_t* source, const uint8_t* destination, size_t length) {
  store_be(ip, uint32_t{6} << 28);
  store_be(ip + 4, static_cast<uint16_t>(length - k_ipv6_header));
  ip[6] = protocol::k_icmpv6;
  ip[7] = k_hops;
  std::memcpy(ip + 8, source, 16);
  std::memcpy(ip + 24, destination, 16);
}

void swap_addresses(uint8_t* source, size_t bytes) {
  std::swap_ranges(source, source + bytes, source + bytes);
}

}  // namespace

bool may_be_answered(std::span<const uint8_t> packet, const Parsed& parsed) {
  if (parsed.flags & (k_later_fragment | k_icmp_error) || !is_query(parsed)) return false;
  const uint8_t* ip = packet.data() + parsed.l3_offset;
  if (parsed.family == 4)
    return !ipv4_forbidden(load_be<uint32_t>(ip + 12)) &&
           !ipv4_forbidden(load_be<uint32_t>(ip + 16));
  return !ipv6_forbidden(ip + 8) && !ipv6_forbidden(ip + 24);
}

size_t build_icmp_error(IcmpError error, uint32_t mtu, std::span<const uint8_t> packet,
                        const Parsed& parsed, const uint8_t* source, std::span<uint8_t> out) {
  if (!may_be_answered(packet, parsed)) return 0;
  const bool v4 = parsed.family == 4;
  const size_t ip_header = v4 ? k_ipv4_header : k_ipv6_header;
  const size_t headers = ip_header + k_icmp_header;
  const size_t most = v4 ? k_max_icmp_error4 : k_max_icmp_error6;
  const size_t quoted = std::min<size_t>(parsed.l3_length, most - headers);
  const size_t length = headers + quoted;
  const uint8_t* offender = packet.data() + parsed.l3_offset;

  uint8_t* message = out.data() + ip_header;
  const uint32_t rest = error != IcmpError::too_big ? 0 : v4 ? std::min(mtu, 0xffffu) : mtu;
  write_icmp(message, type_and_code(error, parsed.family), rest);
  std::memcpy(message + k_icmp_header, offender, quoted);
  if (v4) {
    write_ipv4(out.data(), source, offender + 12, length);
  } else {
    write_ipv6(out.data(), source, offender + 8, length);
  }
  const uint8_t proto = v4 ? protocol::k_icmp : protocol::k_icmpv6;
  store(message + 2,
        transport_checksum(out.data(), parsed.family, proto, message, length - ip_header));
  return length;
}

bool make_echo_reply(std::span<uint8_t> packet, const Parsed& parsed) {
  const bool v4 = parsed.family == 4;
  const uint8_t proto = v4 ? protocol::k_icmp : protocol::k_icmpv6;
  const uint8_t request = v4 ? icmp::k_echo : icmpv6::k_echo;
  const uint8_t reply = v4 ? icmp::k_echo_reply : icmpv6::k_echo_reply;
  if (parsed.protocol != proto || parsed.icmp_type != request || parsed.icmp_code != 0 ||
      parsed.flags & k_fragment)
    return false;
  uint8_t* ip = packet.data() + parsed.l3_offset;
  uint8_t* message = packet.data() + parsed.l4_offset;
  const size_t length = size_t{parsed.l3_length} - (parsed.l4_offset - parsed.l3_offset);
  if (!transport_checksum_right(ip, parsed.family, proto, message, length)) return false;

  const auto before = load<uint16_t>(message);
  message[0] = reply;
  const auto delta = ChecksumDelta::of16(before, load<uint16_t>(message));
  if (v4) {
    adjust_icmp_checksum(message, length, delta);
    swap_addresses(ip + 12, 4);  // changes no sum
    const auto ttl_and_protocol = load<uint16_t>(ip + 8);
    ip[8] = k_hops;
    adjust_checksum(ip + 10, ChecksumDelta::of16(ttl_and_protocol, load<uint16_t>(ip + 8)));
  } else {
    adjust_checksum(message + 2, delta);
    swap_addresses(ip + 8, 16);
    ip[7] = k_hops;
  }
  return true;
}

}  // namespace margay::vector
