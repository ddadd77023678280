// Packets whose flow another worker owns go to that worker's inbox. A packet that comes out of one
// has been parsed already.
//
// A flow that is translated may have a reverse direction whose hash names another worker than the
// owner. Then the owner sends the flow's first packet by way of that worker, which notes who the
// owner is before it lets the packet out: so no reply can come before the note is there. When the
// session ends the owner sends a word to forget the note; should it get lost, the note times out.

#include "vector/graph/dispatch.h"
#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"
#include "vector/nodes/tuple.h"

namespace margay::vector::nodes {
namespace {

enum HandedOverEdge : rte_edge_t {
  to_session4,
  to_session6,
  to_output,
  to_reassembly,
  to_related,
};

uint16_t run_handoff(Worker& worker, rte_graph* graph, rte_node* node, void** packets,
                     uint16_t count) {
  for (uint16_t i = 0; i < count; ++i) {
    PacketMeta& about = meta(static_cast<rte_mbuf*>(packets[i]));
    about.marks |= k_handed_over;
    const unsigned to = about.marks & k_install_stub ? about.session >> 16 : about.adjacency;
    if (rte_ring_mp_enqueue(worker.outboxes[to], packets[i]) != 0)
      rte_node_enqueue_x1(graph, node, Dispatch::drop_edge(node, DropReason::handoff_full),
                          packets[i]);
  }
  return count;
}

// The packet is as it leaves: its reply has its tuple turned around.
template <typename Tuple>
DropReason install_stub(Worker& worker, rte_mbuf* packet) {
  const PacketMeta& about = meta(packet);
  auto& table = worker.sessions<Tuple>();
  const Tuple reply = reversed(tuple_of<Tuple>(packet));
  const uint8_t proto = about.parsed.protocol;
  const SessionRef known = table.find(table.hash(reply, proto), reply, proto);
  auto* stub = known ? &table[known] : table.insert(reply, reply, proto, k_owned_elsewhere);
  if (!stub) return DropReason::session_table_full;
  if (!(stub->flags & k_owned_elsewhere)) return DropReason::flow_conflict;
  stub->last_seen = worker.seen_now();
  stub->adjacency[0] = static_cast<AdjacencyIndex>(about.session & 0xffff);
  return DropReason::none;
}

template <typename Tuple>
void forget_stub(Worker& worker, rte_mbuf* message) {
  Tuple reply;
  std::memcpy(&reply, bytes(message), sizeof(reply));
  auto& table = worker.sessions<Tuple>();
  const uint8_t proto = meta(message).parsed.protocol;
  const SessionRef known = table.find(table.hash(reply, proto), reply, proto);
  if (known && table[known].flags & k_owned_elsewhere) worker.forget(table[known]);
}

template <typename Tuple>
void look_ahead(Worker& worker, const PacketMeta& about) {
  worker.sessions<Tuple>().prefetch(about.hash());
}

uint16_t run_handed_over(Worker& worker, rte_graph* graph, rte_node* node, void** packets,
                         uint16_t count) {
  Dispatch dispatch(graph, node, packets, count, to_session4);
  for (uint16_t i = 0; i < count; ++i) {
    auto* packet = static_cast<rte_mbuf*>(packets[i]);
    PacketMeta& about = meta(packet);
    const bool v4 = about.parsed.family == 4;
    if (about.marks & k_forget_stub) {
      v4 ? forget_stub<Tuple4>(worker, packet) : forget_stub<Tuple6>(worker, packet);
      dispatch.drop(DropReason::none);
      continue;
    }
    if (about.marks & k_install_stub) {
      about.marks &= static_cast<uint8_t>(~k_install_stub);
      dispatch.go({to_output, v4 ? install_stub<Tuple4>(worker, packet)
                                 : install_stub<Tuple6>(worker, packet)});
      continue;
    }
    if (about.parsed.flags & k_fragment && !(about.marks & k_reassembled)) {
      dispatch.to(to_reassembly);
      continue;
    }
    if (about.parsed.flags & k_icmp_error) {
      dispatch.to(to_related);
      continue;
    }
    if (v4)
      look_ahead<Tuple4>(worker, about);
    else
      look_ahead<Tuple6>(worker, about);
    dispatch.to(v4 ? to_session4 : to_session6);
  }
  return dispatch.finish();
}

}  // namespace

const Spec& handoff() {
  static const Spec spec{.name = "handoff", .function = observed<run_handoff>};
  return spec;
}

const Spec& handed_over() {
  static const Spec spec{.name = "handed-over",
                         .function = observed<run_handed_over>,
                         .edges = {"session4", "session6", "output", "reassembly", "related"}};
  return spec;
}

}  // namespace margay::vector::nodes
