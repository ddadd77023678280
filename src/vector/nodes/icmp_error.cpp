// Drops a packet and tells its sender why: hop limit exceeded, or too big for the way (RFC 792, RFC
// 1191, RFC 4443). No more often than the worker's allowance.

#include "vector/graph/dispatch.h"
#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"
#include "vector/nodes/tuple.h"
#include "vector/parse/ethernet.h"
#include "vector/parse/icmp_build.h"
#include "vector/parse/parse.h"

namespace margay::vector::nodes {
namespace {

enum Edge : rte_edge_t { to_lookup4, to_lookup6 };

const uint8_t* own_address(const NodeAddresses& own, uint8_t family) {
  if (family == 4) return own.v4 ? reinterpret_cast<const uint8_t*>(&*own.v4) : nullptr;
  return own.v6 ? own.v6->data() : nullptr;
}

// Null when none is to be sent, or can be.
rte_mbuf* make_error(Worker& worker, rte_mbuf* about_packet) {
  const PacketMeta& about = meta(about_packet);
  const uint8_t family = about.parsed.family;
  const uint8_t* source = own_address(*worker.tables.node_addresses[0], family);
  const std::span<const uint8_t> packet{bytes(about_packet), about_packet->data_len};
  if (!source || !may_be_answered(packet, about.parsed) || !worker.icmp_errors.take(worker.now_ms))
    return nullptr;
  rte_mbuf* error = rte_pktmbuf_alloc(worker.buffers);
  if (!error) return nullptr;
  uint8_t* frame = bytes(error);
  const size_t room = family == 4 ? k_max_icmp_error4 : k_max_icmp_error6;
  const bool too_big = about.reason == DropReason::too_big;
  const size_t length = build_icmp_error(too_big ? IcmpError::too_big : IcmpError::time_exceeded,
                                         worker.tables.adjacencies[about.adjacency]->mtu, packet,
                                         about.parsed, source, {frame + k_ethernet_header, room});
  std::memset(frame, 0, 12);
  store_be(frame + 12, static_cast<uint16_t>(family == 4 ? EtherType::ipv4 : EtherType::ipv6));
  rte_pktmbuf_append(error, static_cast<uint16_t>(length + k_ethernet_header));
  PacketMeta& result = meta(error);
  result = {};
  result.interface = about.interface;
  result.marks = k_own;
  if (length > 0 &&
      parse({frame, error->data_len}, k_ethernet_header, family, result.parsed) == DropReason::none)
    return error;
  rte_pktmbuf_free(error);
  return nullptr;
}

uint16_t run(Worker& worker, rte_graph* graph, rte_node* node, void** packets, uint16_t count) {
  for (uint16_t i = 0; i < count; ++i) {
    auto* packet = static_cast<rte_mbuf*>(packets[i]);
    const PacketMeta& about = meta(packet);
    if (rte_mbuf* error = make_error(worker, packet))
      rte_node_enqueue_x1(graph, node, about.parsed.family == 4 ? to_lookup4 : to_lookup6, error);
    rte_node_enqueue_x1(graph, node, Dispatch::drop_edge(node, about.reason), packet);
  }
  return count;
}

}  // namespace

const Spec& icmp_error() {
  static const Spec spec{
      .name = "icmp-error", .function = observed<run>, .edges = {"lookup4", "lookup6"}};
  return spec;
}

}  // namespace margay::vector::nodes
