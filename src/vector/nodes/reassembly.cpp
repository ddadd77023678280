// Gives each fragment the ports of its packet's first one (parse/reassembly.h). Fragments are not
// put together: they go on one by one, as packets of their flow.
//
// All fragments of a packet meet at one worker, which addresses alone decide; from there each goes
// to the worker that owns the flow.

#include "vector/parse/reassembly.h"

#include <bit>

#include "vector/graph/dispatch.h"
#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"
#include "vector/nodes/onward.h"
#include "vector/nodes/source.h"

namespace margay::vector::nodes {
namespace {

enum Edge : rte_edge_t { to_session4, to_session6, to_lookup4, to_lookup6, to_handoff };

// Nobody may add to another's packets: the first fragment decides for all of them.
DropReason check_source(const Worker& worker, rte_mbuf* packet) {
  const AdjacencyIndex from = meta(packet).parsed.family == 4
                                  ? route_to(worker.tables, tuple_of<Tuple4>(packet).source)
                                  : route_to(worker.tables, tuple_of<Tuple6>(packet).source);
  return vector::check_source(worker.tables, meta(packet), from);
}

bool belongs_elsewhere(const Worker& worker, rte_mbuf* packet) {
  PacketMeta& about = meta(packet);
  if (worker.tables.workers == 1 || about.marks & k_handed_over) return false;
  Parsed without_ports = about.parsed;
  without_ports.source_port = without_ports.destination_port = 0;
  const uint8_t* ip = bytes(packet) + about.parsed.l3_offset;
  const FlowKey& key = worker.tables.flow_key;
  const uint64_t hash = about.parsed.family == 4 ? key.hash(tuple_of<Tuple4>(ip, without_ports), 0)
                                                 : key.hash(tuple_of<Tuple6>(ip, without_ports), 0);
  about.adjacency = static_cast<AdjacencyIndex>(owner_of(hash, worker.tables.workers));
  return about.adjacency != worker.index;
}

void drop(rte_graph* graph, rte_node* node, DropReason reason, rte_mbuf* packet) {
  rte_node_enqueue_x1(graph, node, Dispatch::drop_edge(node, reason), packet);
}

void send_on(Worker& worker, rte_graph* graph, rte_node* node, rte_mbuf* packet) {
  PacketMeta& about = meta(packet);
  // It may have been held for long.
  if (worker.tables.interfaces[about.interface]->kind == Interface::Kind::none)
    return drop(graph, node, DropReason::interface_down, packet);
  about.marks = static_cast<uint8_t>((about.marks & ~k_handed_over) | k_reassembled);
  rte_node_enqueue_x1(graph, node, static_cast<rte_edge_t>(onward(worker, packet)), packet);
}

void take(Worker& worker, rte_graph* graph, rte_node* node, rte_mbuf* packet) {
  const DropReason reason = check_source(worker, packet);
  if (reason != DropReason::none) return drop(graph, node, reason, packet);
  if (belongs_elsewhere(worker, packet))
    return rte_node_enqueue_x1(graph, node, to_handoff, packet);
  Reassembly::Released released;
  Parsed& parsed = meta(packet).parsed;
  const auto verdict =
      worker.reassembly.add(worker.now_ms, {bytes(packet), packet->data_len}, parsed,
                            std::bit_cast<Reassembly::Handle>(packet), released);
  if (verdict.fate == Reassembly::Fate::hold) return;
  const bool forward = verdict.fate == Reassembly::Fate::forward;
  if (forward)
    send_on(worker, graph, node, packet);
  else
    drop(graph, node, verdict.reason, packet);
  for (const auto handle : released.all()) {
    auto* held = std::bit_cast<rte_mbuf*>(handle);
    if (!forward) {
      drop(graph, node, verdict.reason, held);
      continue;
    }
    Reassembly::follow(parsed, meta(held).parsed);
    send_on(worker, graph, node, held);
  }
}

uint16_t run(Worker& worker, rte_graph* graph, rte_node* node, void** packets, uint16_t count) {
  for (uint16_t i = 0; i < count; ++i)
    take(worker, graph, node, static_cast<rte_mbuf*>(packets[i]));
  return count;
}

}  // namespace

const Spec& reassembly() {
  static const Spec spec{.name = "reassembly",
                         .function = observed<run>,
                         .edges = {"session4", "session6", "lookup4", "lookup6", "handoff"}};
  return spec;
}

}  // namespace margay::vector::nodes
