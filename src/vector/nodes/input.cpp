// Takes packets in: from the caller's memory, from other workers, from DPDK's ports.

#include <rte_ethdev.h>

#include <bit>

#include "vector/graph/dispatch.h"
#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"

namespace margay::vector::nodes {
namespace {

enum Edge : rte_edge_t { to_parse, to_handed_over };

constexpr uint16_t k_burst = 64;  // of one queue, so that one full queue does not starve the rest

void mark(rte_mbuf* packet, InterfaceIndex interface) {
  meta(packet).interface = interface;
  meta(packet).marks = 0;
}

uint16_t take_from_memory(Worker& worker, rte_graph* graph, rte_node* node) {
  const auto [interface, packets] = std::exchange(worker.from_memory, {});
  const auto count = static_cast<uint16_t>(packets.size());
  if (count == 0) return 0;
  void** room = rte_node_next_stream_get(graph, node, to_parse, count);
  for (uint16_t i = 0; i < count; ++i) {
    if (i + 4 < count) rte_prefetch0(packets[i + 4]->dynfield1);
    mark(packets[i], interface);
    room[i] = packets[i];
  }
  rte_node_next_stream_put(graph, node, to_parse, count);
  return count;
}

uint16_t take_from_queue(const PolledQueue& queue, rte_graph* graph, rte_node* node) {
  rte_mbuf* packets[k_burst];
  const uint16_t count = rte_eth_rx_burst(queue.port, queue.queue, packets, k_burst);
  for (uint16_t i = 0; i < count; ++i) mark(packets[i], queue.interface);
  if (count > 0) rte_node_enqueue(graph, node, to_parse, reinterpret_cast<void**>(packets), count);
  return count;
}

uint16_t take_from_workers(Worker& worker, rte_graph* graph, rte_node* node) {
  void** room = rte_node_next_stream_get(graph, node, to_handed_over, k_burst);
  const auto count =
      static_cast<uint16_t>(rte_ring_sc_dequeue_burst(worker.inbox, room, k_burst, nullptr));
  rte_node_next_stream_put(graph, node, to_handed_over, count);
  return count;
}

// At most one packet's fragments a round: there is always a next round.
void drop_expired_fragments(Worker& worker, rte_graph* graph, rte_node* node) {
  Reassembly::Released expired;
  if (!worker.reassembly.expire(worker.now_ms, expired)) return;
  for (const auto handle : expired.all())
    rte_node_enqueue_x1(graph, node, Dispatch::drop_edge(node, DropReason::fragment_timeout),
                        std::bit_cast<void*>(handle));
}

uint16_t run(Worker& worker, rte_graph* graph, rte_node* node, void** /*packets*/,
             uint16_t /*count*/) {
  uint16_t received = take_from_memory(worker, graph, node);
  if (const auto* queues = worker.queues.load(std::memory_order_acquire))
    for (const auto& queue : *queues)
      received = static_cast<uint16_t>(received + take_from_queue(queue, graph, node));
  if (worker.inbox)
    received = static_cast<uint16_t>(received + take_from_workers(worker, graph, node));
  drop_expired_fragments(worker, graph, node);
  worker.received = received;
  return received;
}

}  // namespace

const Spec& input() {
  static const Spec spec{.name = "input",
                         .function = observed<run>,
                         .source = true,
                         .edges = {"parse", "handed-over"}};
  return spec;
}

}  // namespace margay::vector::nodes
