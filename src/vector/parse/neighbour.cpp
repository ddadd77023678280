#include "vector/parse/neighbour.h"

#include <cstring>

#include "vector/parse/bytes.h"
#include "vector/parse/checksum.h"
#include "vector/parse/ethernet.h"
#include "vector/parse/ip_protocol.h"

namespace margay::vector {
namespace {

constexpr uint64_t k_ethernet_and_ipv4 = 0x0001'0800'0604'0000;  // RFC 826, and the operation
constexpr size_t k_icmp_at = k_ethernet_header + k_ipv6_header;
constexpr size_t k_solicitation = 24;  // RFC 4861 section 4.3, without options
constexpr uint8_t k_source_option = 1, k_target_option = 2;
constexpr uint32_t k_router_solicited_override = 0xe0000000;

bool is_group(const net::MacAddress& mac) { return (mac.bytes[0] & 1) != 0; }

bool is_unspecified(const uint8_t* address) {
  return load<uint64_t>(address) == 0 && load<uint64_t>(address + 8) == 0;
}

// ff02::1:ffXX:XXXX (RFC 4291 2.7.1)
bool is_solicited_node(const uint8_t* address) {
  return load_be<uint64_t>(address) == 0xff02'0000'0000'0000 &&
         load_be<uint32_t>(address + 8) == 1 && address[12] == 0xff;
}

// RFC 4861 section 4.6: options of length zero make the message invalid.
DropReason read_options(std::span<const uint8_t> options, NeighbourSolicitation& out) {
  while (!options.empty()) {
    const size_t bytes = options.size() < 2 ? 0 : options[1] * size_t{8};
    if (bytes == 0 || bytes > options.size()) return DropReason::bad_l4_header;
    if (options[0] == k_source_option) {
      if (out.detects_duplicates) return DropReason::bad_l4_header;
      std::memcpy(out.source_mac.bytes.data(), &options[2], 6);
      if (is_group(out.source_mac)) return DropReason::bad_l4_header;
    }
    options = options.subspan(bytes);
  }
  return DropReason::none;
}

}  // namespace

DropReason parse_arp(std::span<const uint8_t> frame, Arp& out) {
  if (frame.size() < k_arp_frame) return DropReason::truncated;
  const uint8_t* arp = &frame[k_ethernet_header];
  const auto head = load_be<uint64_t>(arp);
  const auto operation = static_cast<uint16_t>(head);
  if ((head & ~uint64_t{0xffff}) != k_ethernet_and_ipv4) return DropReason::bad_l4_header;
  if (operation != 1 && operation != 2) return DropReason::bad_l4_header;
  out.operation = static_cast<ArpOperation>(operation);
  std::memcpy(out.sender_mac.bytes.data(), arp + 8, 6);
  std::memcpy(out.sender.data(), arp + 14, 4);
  std::memcpy(out.target.data(), arp + 24, 4);
  return is_group(out.sender_mac) ? DropReason::bad_l4_header : DropReason::none;
}

bool asks_for_another(const Arp& arp) {
  return arp.operation == ArpOperation::request && arp.sender != arp.target &&
         arp.sender != std::array<uint8_t, 4>{};
}

void build_arp_reply(const Arp& request, const net::MacAddress& ours, std::span<uint8_t> frame) {
  write_ethernet(frame.data(), request.sender_mac, ours, EtherType::arp);
  uint8_t* arp = &frame[k_ethernet_header];
  store_be(arp, k_ethernet_and_ipv4 | static_cast<uint8_t>(ArpOperation::reply));
  std::memcpy(arp + 8, ours.bytes.data(), 6);
  std::memcpy(arp + 14, request.target.data(), 4);
  std::memcpy(arp + 18, request.sender_mac.bytes.data(), 6);
  std::memcpy(arp + 24, request.sender.data(), 4);
}

bool is_neighbour_solicitation(std::span<const uint8_t> frame) {
  return frame.size() > k_icmp_at && frame[k_ethernet_header + 6] == protocol::k_icmpv6 &&
         frame[k_icmp_at] == icmpv6::k_neighbour_solicitation;
}

DropReason parse_neighbour_solicitation(std::span<const uint8_t> frame,
                                        NeighbourSolicitation& out) {
  if (frame.size() < k_icmp_at + k_solicitation) return DropReason::truncated;
  const uint8_t* ip = &frame[k_ethernet_header];
  const uint8_t* destination = ip + 24;
  const uint8_t* message = &frame[k_icmp_at];
  const uint8_t* target = message + 8;
  const size_t length = load_be<uint16_t>(ip + 4);
  if (ip[0] >> 4 != 6) return DropReason::bad_ip_version;
  if (length < k_solicitation || length > frame.size() - k_icmp_at)
    return DropReason::bad_ip_total_length;
  if (!is_neighbour_solicitation(frame)) return DropReason::bad_l4_header;
  // A hop limit of 255: it has come from this link.
  if (ip[7] != 255 || message[1] != 0 || target[0] == 0xff) return DropReason::bad_l4_header;
  if (!transport_checksum_right(ip, 6, protocol::k_icmpv6, message, length))
    return DropReason::bad_l4_header;
  if (ip[8] == 0xff) return DropReason::bad_source_address;

  out.detects_duplicates = is_unspecified(ip + 8);
  if (out.detects_duplicates && !is_solicited_node(destination))
    return DropReason::bad_destination_address;
  std::memcpy(out.source.data(), ip + 8, 16);
  std::memcpy(out.target.data(), target, 16);
  std::memcpy(out.source_mac.bytes.data(), &frame[6], 6);
  if (is_group(out.source_mac)) return DropReason::bad_l4_header;
  return read_options({message + k_solicitation, length - k_solicitation}, out);
}

void build_neighbour_advertisement(const NeighbourSolicitation& solicitation,
                                   const net::MacAddress& ours, std::span<uint8_t> frame) {
  constexpr uint16_t k_message = k_advertisement_frame - k_icmp_at;
  write_ethernet(frame.data(), solicitation.source_mac, ours, EtherType::ipv6);
  uint8_t* ip = &frame[k_ethernet_header];
  store_be(ip, uint32_t{6} << 28);
  store_be(ip + 4, k_message);
  ip[6] = protocol::k_icmpv6;
  ip[7] = 255;
  std::memcpy(ip + 8, solicitation.target.data(), 16);
  std::memcpy(ip + 24, solicitation.source.data(), 16);
  uint8_t* message = &frame[k_icmp_at];
  store_be(message, uint32_t{icmpv6::k_neighbour_advertisement} << 24);
  store_be(message + 4, k_router_solicited_override);
  std::memcpy(message + 8, solicitation.target.data(), 16);
  message[24] = k_target_option;
  message[25] = 1;
  std::memcpy(message + 26, ours.bytes.data(), 6);
  store(message + 2, transport_checksum(ip, 6, protocol::k_icmpv6, message, k_message));
}

}  // namespace margay::vector
