#include "vector/control/frame_text.h"

#include <fmt/format.h>

#include "base/address.h"
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

std::string frame_text(std::span<const uint8_t> head) {
  const auto flow = flow_of(head);
  if (!flow) {
    if (head.size() < k_ethernet_header) return "a frame without a whole header";
    const auto type = load_be<uint16_t>(head.data() + 12);
    return EtherType{type} == EtherType::arp ? "ARP" : fmt::format("Ethernet type {:#06x}", type);
  }
  const auto& ends = flow->ends;
  const auto name = protocol_name(flow->protocol);
  const auto source = base::IPAddress::from_bytes(ends.source)->to_string();
  const auto destination = base::IPAddress::from_bytes(ends.destination)->to_string();
  if (!ends.ports)
    return fmt::format("{} {} > {}{}", name, source, destination,
                       flow->is_later_fragment ? " later fragment" : "");
  const char* form = ends.source.size() == 4 ? "{} {}:{} > {}:{}" : "{} [{}]:{} > [{}]:{}";
  std::string text = fmt::format(fmt::runtime(form), name, source, ends.ports->source, destination,
                                 ends.ports->destination);
  if (flow->protocol == protocol::k_tcp && flow->transport.size() >= 14)
    text += fmt::format(" [{}]", tcp_flags(flow->transport[13]));
  return text;
}

}  // namespace margay::vector
