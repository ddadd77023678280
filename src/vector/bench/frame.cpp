#include "vector/bench/frame.h"

#include "vector/nodes/tuple.h"
#include "vector/parse/checksum.h"
#include "vector/parse/parse.h"

namespace margay::vector::bench {
namespace {

constexpr uint8_t k_hops = 64;
constexpr size_t k_flow_bytes = 6;

template <typename Tuple>
constexpr size_t k_ip_header = sizeof(Tuple::source) == 4 ? k_ipv4_header : k_ipv6_header;

void write_ip(uint8_t* ip, const Tuple4& tuple, uint8_t proto, uint16_t bytes) {
  ip[0] = 0x45;
  store_be<uint16_t>(ip + 2, bytes);
  store_be<uint16_t>(ip + 6, 0x4000);  // don't fragment
  ip[8] = k_hops;
  ip[9] = proto;
  std::memcpy(ip + 12, &tuple.source, 8);
  store(ip + 10, checksum(ones_sum(ip, k_ipv4_header)));
}

void write_ip(uint8_t* ip, const Tuple6& tuple, uint8_t proto, uint16_t bytes) {
  ip[0] = 0x60;
  store_be<uint16_t>(ip + 4, static_cast<uint16_t>(bytes - k_ipv6_header));
  ip[6] = proto;
  ip[7] = k_hops;
  std::memcpy(ip + 8, &tuple.source, 32);
}

template <typename Tuple>
void make(rte_mbuf* packet, const Tuple& tuple, uint8_t proto, uint8_t tcp_flags, uint64_t flow) {
  constexpr bool v4 = sizeof(Tuple::source) == 4;
  constexpr uint16_t k_bytes = v4 ? k_frame_bytes : k_frame6_bytes;
  rte_pktmbuf_reset(packet);
  packet->data_len = k_bytes;
  packet->pkt_len = k_bytes;
  uint8_t* frame = bytes(packet);
  std::memset(frame, 0, k_bytes);
  std::memcpy(frame, k_our_mac.bytes.data(), 6);
  std::memcpy(frame + 6, k_peer_mac.bytes.data(), 6);
  store_be<uint16_t>(frame + 12, v4 ? 0x0800 : 0x86dd);
  uint8_t* ip = frame + k_ethernet_header;
  write_ip(ip, tuple, proto, static_cast<uint16_t>(k_bytes - k_ethernet_header));
  uint8_t* l4 = ip + k_ip_header<Tuple>;
  const auto l4_bytes = static_cast<size_t>(frame + k_bytes - l4);
  store(l4, tuple.source_port);
  store(l4 + 2, tuple.destination_port);
  std::memcpy(frame + k_bytes - k_flow_bytes, &flow, k_flow_bytes);
  const size_t check_at = proto == protocol::k_tcp ? 16 : 6;
  if (proto == protocol::k_tcp) {
    l4[12] = 5 << 4;
    l4[13] = tcp_flags;
  } else {
    store_be<uint16_t>(l4 + 4, static_cast<uint16_t>(l4_bytes));
  }
  store(l4 + check_at, transport_checksum(ip, v4 ? 4 : 6, proto, l4, l4_bytes));
}

template <typename Tuple>
bool forwarded(rte_mbuf* packet, const MacAddress& to, const Tuple& tuple) {
  const uint8_t* frame = bytes(packet);
  Parsed parsed;
  if (std::memcmp(frame, to.bytes.data(), to.bytes.size()) != 0) return false;
  if (parse({frame, packet->data_len}, k_ethernet_header, sizeof(Tuple::source) == 4 ? 4 : 6,
            parsed) != DropReason::none)
    return false;
  const uint8_t* ip = frame + parsed.l3_offset;
  return ip[sizeof(Tuple::source) == 4 ? 8 : 7] == k_hops - 1 &&
         tuple_of<Tuple>(ip, parsed) == tuple &&
         transport_checksum_right(
             ip, parsed.family, parsed.protocol, frame + parsed.l4_offset,
             static_cast<size_t>(parsed.l3_offset + parsed.l3_length - parsed.l4_offset));
}

}  // namespace

void make_frame(rte_mbuf* packet, const Tuple4& tuple, uint8_t proto, uint8_t tcp_flags,
                uint64_t flow) {
  make(packet, tuple, proto, tcp_flags, flow);
}
void make_frame(rte_mbuf* packet, const Tuple6& tuple, uint8_t proto, uint8_t tcp_flags,
                uint64_t flow) {
  make(packet, tuple, proto, tcp_flags, flow);
}

uint64_t flow_of(rte_mbuf* packet) {
  uint64_t flow = 0;
  std::memcpy(&flow, bytes(packet) + packet->data_len - k_flow_bytes, k_flow_bytes);
  return flow;
}

bool is_forwarded(rte_mbuf* packet, const MacAddress& to, const Tuple4& tuple) {
  return forwarded(packet, to, tuple);
}
bool is_forwarded(rte_mbuf* packet, const MacAddress& to, const Tuple6& tuple) {
  return forwarded(packet, to, tuple);
}

}  // namespace margay::vector::bench
