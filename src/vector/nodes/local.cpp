// What is for the engine itself: who has this address (ARP, neighbour discovery), and echo. A
// workload's gateway is any address it asks for: 169.254.1.1 as Calico's CNI plugin sets it, or a
// link-local one. On an uplink only the node's own addresses are answered for.

#include "vector/graph/dispatch.h"
#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"
#include "vector/nodes/onward.h"
#include "vector/parse/ethernet.h"
#include "vector/parse/icmp_build.h"
#include "vector/parse/neighbour.h"

namespace margay::vector::nodes {
namespace {

enum Edge : rte_edge_t { to_output };

struct Outcome {
  bool answered = false;
  DropReason reason = DropReason::none;
};

bool is_own(const Tables& tables, uint32_t adjacency) {
  return tables.adjacencies[adjacency]->kind == Adjacency::Kind::local;
}

Outcome answer_arp(const Worker& worker, rte_mbuf* packet, const Interface& interface) {
  Arp arp;
  const DropReason reason = parse_arp({bytes(packet), packet->data_len}, arp);
  if (reason != DropReason::none) return {.reason = reason};
  if (arp.operation != ArpOperation::request || !asks_for_another(arp)) return {};
  const uint32_t target = load_be<uint32_t>(arp.target.data());
  if (!interface.is_workload && !is_own(worker.tables, worker.tables.routes4.lookup(target)))
    return {};
  build_arp_reply(arp, interface.mac, {bytes(packet), k_arp_frame});
  rte_pktmbuf_trim(packet, static_cast<uint16_t>(packet->data_len - k_arp_frame));
  return {.answered = true};
}

Outcome answer_solicitation(const Worker& worker, rte_mbuf* packet, const Interface& interface) {
  NeighbourSolicitation asked;
  const DropReason reason = parse_neighbour_solicitation({bytes(packet), packet->data_len}, asked);
  if (reason != DropReason::none) return {.reason = reason};
  if (asked.detects_duplicates) return {};
  if (!interface.is_workload && !is_own(worker.tables, worker.tables.routes6.lookup(asked.target)))
    return {};
  if (packet->data_len < k_advertisement_frame &&
      !rte_pktmbuf_append(packet, static_cast<uint16_t>(k_advertisement_frame - packet->data_len)))
    return {.reason = DropReason::no_buffer};
  rte_pktmbuf_trim(packet, static_cast<uint16_t>(packet->data_len - k_advertisement_frame));
  build_neighbour_advertisement(asked, interface.mac, {bytes(packet), k_advertisement_frame});
  return {.answered = true};
}

Outcome answer_echo(rte_mbuf* packet) {
  uint8_t* frame = bytes(packet);
  if (!make_echo_reply({frame, packet->data_len}, meta(packet).parsed))
    return {.reason = DropReason::for_the_host};
  uint8_t sender[6];
  std::memcpy(sender, frame + 6, sizeof(sender));
  std::memcpy(frame + 6, frame, sizeof(sender));
  std::memcpy(frame, sender, sizeof(sender));
  return {.answered = true};
}

Outcome step(const Worker& worker, rte_mbuf* packet) {
  const Interface& interface = *worker.tables.interfaces[meta(packet).interface];
  const std::span<const uint8_t> frame{bytes(packet), packet->data_len};
  switch (EtherType{load_be<uint16_t>(frame.data() + 12)}) {
    case EtherType::arp:
      return answer_arp(worker, packet, interface);
    case EtherType::ipv6:
      if (is_neighbour_solicitation(frame)) return answer_solicitation(worker, packet, interface);
      if (is_neighbour_discovery(frame)) return {};
      return answer_echo(packet);
    default:
      return answer_echo(packet);
  }
}

uint16_t run(Worker& worker, rte_graph* graph, rte_node* node, void** packets, uint16_t count) {
  Dispatch dispatch(graph, node, packets, count, to_output);
  for (uint16_t i = 0; i < count; ++i) {
    auto* packet = static_cast<rte_mbuf*>(packets[i]);
    const Outcome outcome = step(worker, packet);
    if (outcome.answered) {
      meta(packet).marks |= k_out_where_in;
      dispatch.to(to_output);
    } else {
      dispatch.drop(outcome.reason);
    }
  }
  return dispatch.finish();
}

}  // namespace

const Spec& local() {
  static const Spec spec{.name = "local", .function = observed<run>, .edges = {"output"}};
  return spec;
}

}  // namespace margay::vector::nodes
