#include "vector/control/frame_text.h"

#include <fmt/format.h>

#include "base/address.h"
#include "policy/protocol.h"
#include "vector/control/flow_filter.h"
#include "vector/parse/bytes.h"
#include "vector/parse/ethernet.h"
#include "vector/parse/ip_protocol.h"

namespace margay::vector {
namespace {

std::string tcp_flags(uint8_t flags) {
  constexpr std::string_view k_letters = "FSRPAUEC";
  std::string text;
  for (size_t bit = 0; bit < k_letters.size(); ++bit)
    if (flags >> bit & 1) text += k_letters[bit];
  return text;
}

}  // namespace

std::string protocol_name(uint8_t number) {
  switch (number) {
    case protocol::k_tcp:
      return "TCP";
    case protocol::k_udp:
      return "UDP";
    case protocol::k_icmp:
      return "ICMP";
    case protocol::k_icmpv6:
      return "ICMPv6";
    case protocol::k_sctp:
      return "SCTP";
    case protocol::k_udplite:
      return "UDPLite";
    default:
      return fmt::to_string(number);
  }
}

// Reads no more than the head: what lies behind extension headers stays unnamed.
std::string frame_text(std::span<const uint8_t> head) {
  const auto addresses = addresses_of(head);
  if (!addresses) {
    if (head.size() < k_ethernet_header) return "a frame without a whole header";
    const auto type = load_be<uint16_t>(head.data() + 12);
    return EtherType{type} == EtherType::arp ? "ARP" : fmt::format("Ethernet type {:#06x}", type);
  }
  const auto ip = head.subspan(k_ethernet_header);
  const bool is_v4 = addresses->source.size() == 4;
  const uint8_t number = is_v4 ? ip[9] : ip[6];
  const size_t header = is_v4 ? size_t{ip[0] & 15U} * 4 : 40;
  const bool is_later_fragment = is_v4 && (load_be<uint16_t>(ip.data() + 6) & 0x1fff) != 0;
  const auto source = base::IPAddress::from_bytes(addresses->source)->to_string();
  const auto destination = base::IPAddress::from_bytes(addresses->destination)->to_string();
  if (!policy::has_ports(number) || is_later_fragment || ip.size() < header + 4)
    return fmt::format("{} {} > {}{}", protocol_name(number), source, destination,
                       is_later_fragment ? " later fragment" : "");
  const uint8_t* l4 = ip.data() + header;
  const char* form = is_v4 ? "{} {}:{} > {}:{}" : "{} [{}]:{} > [{}]:{}";
  std::string text = fmt::format(fmt::runtime(form), protocol_name(number), source,
                                 load_be<uint16_t>(l4), destination, load_be<uint16_t>(l4 + 2));
  if (number == protocol::k_tcp && ip.size() >= header + 14)
    text += fmt::format(" [{}]", tcp_flags(l4[13]));
  return text;
}

}  // namespace margay::vector
