// Reads each packet's headers and says which way it goes: to its session when policy or translation
// is at stake, to routing when it comes from an uplink.

#include "vector/parse/parse.h"

#include "vector/graph/dispatch.h"
#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"
#include "vector/nodes/onward.h"
#include "vector/parse/ethernet.h"
#include "vector/parse/neighbour.h"
#include "vector/parse/parse_fast.h"

namespace margay::vector::nodes {
namespace {

enum Edge : rte_edge_t {
  to_session4,
  to_session6,
  to_lookup4,
  to_lookup6,
  to_reassembly,
  to_related,
  to_local,
};

constexpr uint16_t k_ahead = 8;

Way known(Worker& worker, rte_mbuf* packet) {
  const Parsed& parsed = meta(packet).parsed;
  if (parsed.flags != 0) [[unlikely]] {
    if (parsed.flags & k_link_local) return {.reason = DropReason::link_local};
    if (parsed.flags & k_fragment) return {.edge = to_reassembly};
    if (parsed.flags & k_icmp_error) return {.edge = to_related};
  }
  return {.edge = static_cast<rte_edge_t>(onward(worker, packet))};
}

Way unusual(Worker& worker, rte_mbuf* packet, const Interface& interface) {
  if (interface.kind == Interface::Kind::none) return {.reason = DropReason::interface_down};
  if (rte_pktmbuf_linearize(packet) != 0) return {.reason = DropReason::no_buffer};
  const std::span<const uint8_t> frame{bytes(packet), packet->data_len};
  EtherType type{};
  DropReason reason = parse_ethernet(frame, interface.mac, type);
  if (reason != DropReason::none) return {.reason = reason};
  // ARP and neighbour discovery go to multicast addresses, which are not forwarded.
  if (type == EtherType::arp || (type == EtherType::ipv6 && is_neighbour_discovery(frame)))
    return {.edge = to_local};
  if (frame[0] & 1) return {.reason = DropReason::not_our_mac};
  reason = parse(frame, k_ethernet_header, family_of(type), meta(packet).parsed);
  return reason == DropReason::none ? known(worker, packet) : Way{.reason = reason};
}

bool is_for_us(const uint8_t* frame, const Interface& interface) {
  const uint8_t* mac = interface.mac.bytes.data();
  return load<uint32_t>(frame) == load<uint32_t>(mac) &&
         load<uint16_t>(frame + 4) == load<uint16_t>(mac + 4);
}

Way step(Worker& worker, rte_mbuf* packet) {
  const Interface& interface = *worker.tables.interfaces[meta(packet).interface];
  if (packet->nb_segs == 1 && packet->data_len >= k_ethernet_header) [[likely]] {
    const uint8_t* frame = bytes(packet);
    const uint8_t family = family_of(EtherType{load_be<uint16_t>(frame + 12)});
    if (interface.kind != Interface::Kind::none && is_for_us(frame, interface) &&
        parse_fast({frame, packet->data_len}, k_ethernet_header, family, meta(packet).parsed))
        [[likely]]
      return known(worker, packet);
  }
  return unusual(worker, packet, interface);
}

uint16_t run(Worker& worker, rte_graph* graph, rte_node* node, void** packets, uint16_t count) {
  auto** batch = reinterpret_cast<rte_mbuf**>(packets);
  for (uint16_t i = 0; i < k_ahead && i < count; ++i) rte_prefetch0(bytes(batch[i]));
  Way way = step(worker, batch[0]);
  Dispatch dispatch(graph, node, packets, count,
                    way.reason == DropReason::none ? way.edge : rte_edge_t{to_session4});
  for (uint16_t i = 0;;) {
    if (i + k_ahead < count) rte_prefetch0(bytes(batch[i + k_ahead]));
    dispatch.go(way);
    if (++i == count) return dispatch.finish();
    way = step(worker, batch[i]);
  }
}

}  // namespace

const Spec& parse() {
  static const Spec spec{
      .name = "parse",
      .function = observed<run>,
      .edges = {"session4", "session6", "lookup4", "lookup6", "reassembly", "related", "local"}};
  return spec;
}

}  // namespace margay::vector::nodes
