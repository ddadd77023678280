// Sends packets out of their adjacency's interface, each run of packets for one interface at once.

#include <rte_ethdev.h>

#include "vector/graph/dispatch.h"
#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"

namespace margay::vector::nodes {
namespace {

void drop(rte_graph* graph, rte_node* node, DropReason reason, void** packets, uint16_t count) {
  if (count > 0) rte_node_enqueue(graph, node, Dispatch::drop_edge(node, reason), packets, count);
}

uint16_t send_to_memory(Worker& worker, InterfaceIndex interface, void** packets, uint16_t count) {
  const auto room = static_cast<uint16_t>(k_most_to_memory - worker.to_memory.size());
  const uint16_t sent = std::min(count, room);
  for (uint16_t i = 0; i < sent; ++i)
    worker.to_memory.push_back({interface, static_cast<rte_mbuf*>(packets[i])});
  return sent;
}

void send(Worker& worker, rte_graph* graph, rte_node* node, InterfaceIndex index, void** packets,
          uint16_t count) {
  const Interface& interface = *worker.tables.interfaces[index];
  if (interface.kind == Interface::Kind::none)
    return drop(graph, node, DropReason::interface_down, packets, count);
  const uint16_t sent = interface.kind == Interface::Kind::memory
                            ? send_to_memory(worker, index, packets, count)
                            : rte_eth_tx_burst(interface.port, static_cast<uint16_t>(worker.index),
                                               reinterpret_cast<rte_mbuf**>(packets), count);
  drop(graph, node, DropReason::output_full, packets + sent, static_cast<uint16_t>(count - sent));
}

uint16_t run(Worker& worker, rte_graph* graph, rte_node* node, void** packets, uint16_t count) {
  const auto interface_of = [&](uint16_t i) {
    const PacketMeta& about = meta(static_cast<rte_mbuf*>(packets[i]));
    return about.marks & k_out_where_in ? about.interface
                                        : worker.tables.adjacencies[about.adjacency]->interface;
  };
  uint16_t first = 0;
  InterfaceIndex interface = interface_of(0);
  for (uint16_t i = 1; i < count; ++i) {
    const InterfaceIndex other = interface_of(i);
    if (other == interface) [[likely]]
      continue;
    send(worker, graph, node, interface, packets + first, static_cast<uint16_t>(i - first));
    first = i;
    interface = other;
  }
  send(worker, graph, node, interface, packets + first, static_cast<uint16_t>(count - first));
  return count;
}

}  // namespace

const Spec& output() {
  static const Spec spec{.name = "output", .function = observed<run>};
  return spec;
}

}  // namespace margay::vector::nodes
