// ICMP errors. One about a flow of ours goes where the flow's packets in its direction go, its
// quoted packet translated like them (RFC 5508 section 4). Others only pass between uplinks.

#include "vector/graph/dispatch.h"
#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"
#include "vector/nodes/source.h"
#include "vector/nodes/translate.h"
#include "vector/parse/parse.h"

namespace margay::vector::nodes {
namespace {

enum Edge : rte_edge_t { to_rewrite4, to_rewrite6, to_handoff };

DropReason without_session(Worker& worker, PacketMeta& about, AdjacencyIndex to) {
  if (worker.tables.interfaces[about.interface]->is_workload)
    return DropReason::icmp_error_no_session;
  about.adjacency = to;
  return worker.tables.adjacencies[to]->kind == Adjacency::Kind::transit
             ? DropReason::none
             : DropReason::icmp_error_no_session;
}

// An error comes from where its flow's packets in its direction come from, by an address of its
// sender's own, and finds the flow as it is now: the packet that it quotes has just passed.
template <typename Tuple>
DropReason check_origin(const Worker& worker, rte_mbuf* packet, const Session<Tuple>& session,
                        FlowDirection direction) {
  const PacketMeta& about = meta(packet);
  if (session.epoch != worker.epoch) return DropReason::icmp_error_no_session;
  if (!worker.came_the_right_way(about, session.adjacency[1 - static_cast<size_t>(direction)]))
    return DropReason::spoofed_source;
  return check_source(worker.tables, about,
                      route_to(worker.tables, tuple_of<Tuple>(packet).source));
}

// `back` is of the packet that the error would be, were it an answer.
template <typename Tuple>
Way find_session(Worker& worker, rte_mbuf* packet, const Parsed& quote, const Tuple& back) {
  PacketMeta& about = meta(packet);
  const uint64_t hash = worker.tables.flow_key.hash(back, quote.protocol);
  const unsigned owner = owner_of(hash, worker.tables.workers);
  if (owner != worker.index && !(about.marks & k_handed_over)) {
    about.adjacency = static_cast<AdjacencyIndex>(owner);
    return {.edge = to_handoff};
  }
  auto& table = worker.sessions<Tuple>();
  const SessionRef ref = table.find(hash, back, quote.protocol);
  const rte_edge_t to_rewrite = sizeof(Tuple::source) == 4 ? to_rewrite4 : to_rewrite6;
  if (!ref)
    return {to_rewrite,
            without_session(worker, about,
                            route_to(worker.tables, tuple_of<Tuple>(packet).destination))};
  const auto& session = table[ref];
  if (session.flags & k_owned_elsewhere) {
    about.adjacency = session.adjacency[0];
    return {.edge = to_handoff};
  }
  const DropReason reason = check_origin(worker, packet, session, ref.direction());
  if (reason != DropReason::none) return {.reason = reason};
  about.adjacency = session.adjacency[static_cast<size_t>(ref.direction())];
  if (session.flags & k_translated)
    apply_to_icmp_error(rewrite_of(session, ref.direction()), bytes(packet), about.parsed, quote);
  return {.edge = to_rewrite};
}

Way step(Worker& worker, rte_mbuf* packet) {
  PacketMeta& about = meta(packet);
  about.session = 0;
  Parsed quote;
  const DropReason reason = parse_quote({bytes(packet), packet->data_len}, about.parsed, quote);
  if (reason != DropReason::none) return {.reason = reason};
  if (quote.flags & k_later_fragment) return {.reason = DropReason::icmp_error_no_session};
  const uint8_t* quoted = bytes(packet) + quote.l3_offset;
  return quote.family == 4
             ? find_session(worker, packet, quote, reversed(tuple_of<Tuple4>(quoted, quote)))
             : find_session(worker, packet, quote, reversed(tuple_of<Tuple6>(quoted, quote)));
}

uint16_t run(Worker& worker, rte_graph* graph, rte_node* node, void** packets, uint16_t count) {
  Dispatch dispatch(graph, node, packets, count, to_rewrite4);
  for (uint16_t i = 0; i < count; ++i)
    dispatch.go(step(worker, static_cast<rte_mbuf*>(packets[i])));
  return dispatch.finish();
}

}  // namespace

const Spec& related() {
  static const Spec spec{
      .name = "related", .function = observed<run>, .edges = {"rewrite4", "rewrite6", "handoff"}};
  return spec;
}

}  // namespace margay::vector::nodes
