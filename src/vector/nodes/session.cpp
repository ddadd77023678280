// Finds the session of each packet, several at a time: the record of every packet is on its way
// from memory before the first is looked at. What has none, or one that was judged under an earlier
// configuration, is a first packet.

#include "vector/graph/dispatch.h"
#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"
#include "vector/nodes/tuple.h"
#include "vector/service/service_table.h"
#include "vector/session/icmp_query.h"
#include "vector/session/tcp_state.h"

namespace margay::vector::nodes {
namespace {

enum Edge : rte_edge_t { to_rewrite, to_first_packet, to_handoff, to_spoofed, to_conflict };

// Whether the packet ends its session and begins another: a SYN after the connection has ended; and
// where a service's backend is none of its any more, a SYN that is tried again, and datagrams. What
// is connected goes on for as long as the backend's address answers, as it does behind kube-proxy.
template <typename Tuple>
bool begins_anew(Worker& worker, const Session<Tuple>& session, const Parsed& parsed) {
  const bool is_syn = session.protocol == protocol::k_tcp && opens_connection(parsed.tcp_flags);
  if (is_syn && has_ended(session.state)) return true;
  const bool is_datagram =
      session.protocol == protocol::k_udp || session.protocol == protocol::k_udplite;
  if (!is_datagram && !(is_syn && !(session.state & k_established))) return false;
  return session.flags & k_service &&
         !worker.tables.services->is_alive(worker.sessions<Tuple>().backend(session));
}

template <typename Tuple>
rte_edge_t begin_anew(Worker& worker, Session<Tuple>& session, PacketMeta& about) {
  worker.forget(session);
  about.session = 0;
  return to_first_packet;
}

template <typename Tuple>
rte_edge_t step(Worker& worker, rte_mbuf* packet, SessionRef ref) {
  PacketMeta& about = meta(packet);
  about.session = ref.value;
  if (!ref) [[unlikely]]
    return to_first_packet;
  auto& session = worker.sessions<Tuple>()[ref];
  if (session.epoch != worker.epoch) [[unlikely]] {
    if (session.flags & k_owned_elsewhere) {
      session.last_seen = worker.seen_now();
      about.adjacency = session.adjacency[0];
      return to_handoff;
    }
    if (begins_anew(worker, session, about.parsed)) return begin_anew(worker, session, about);
    return to_first_packet;
  }
  const auto direction = ref.direction();
  if (!worker.came_the_right_way(about, session.adjacency[1 - static_cast<size_t>(direction)]))
      [[unlikely]]
    return to_spoofed;
  if (session.protocol == protocol::k_tcp) {
    if (opens_connection(about.parsed.tcp_flags) && begins_anew(worker, session, about.parsed))
        [[unlikely]]
      return begin_anew(worker, session, about);
    session.state = after_segment(session.state, direction, about.parsed.tcp_flags);
  } else if (is_icmp(session.protocol) && !continues_query(session.state, direction, about.parsed))
      [[unlikely]] {
    return to_conflict;
  }
  session.last_seen = worker.seen_now();
  session.count(direction, about.parsed.l3_length);
  about.adjacency = session.adjacency[static_cast<size_t>(direction)];
  return to_rewrite;
}

bool belongs_elsewhere(const Worker& worker, PacketMeta& about) {
  if (worker.tables.workers == 1 || about.marks & k_handed_over) return false;
  const unsigned owner = owner_of(about.hash(), worker.tables.workers);
  about.adjacency = static_cast<AdjacencyIndex>(owner);
  return owner != worker.index;
}

template <typename Tuple>
uint16_t run(Worker& worker, rte_graph* graph, rte_node* node, void** packets, uint16_t count) {
  Dispatch dispatch(graph, node, packets, count, to_rewrite);
  const auto& table = worker.sessions<Tuple>();
  SessionRef candidates[k_most_batch];
  for (uint16_t first = 0; first < count; first = static_cast<uint16_t>(first + k_most_batch)) {
    const auto part = static_cast<uint16_t>(std::min<unsigned>(k_most_batch, count - first));
    auto** batch = reinterpret_cast<rte_mbuf**>(packets) + first;
    for (uint16_t i = 0; i < part; ++i) candidates[i] = table.candidate(meta(batch[i]).hash());
    for (uint16_t i = 0; i < part; ++i) {
      PacketMeta& about = meta(batch[i]);
      if (belongs_elsewhere(worker, about)) [[unlikely]] {
        dispatch.to(to_handoff);
        continue;
      }
      const auto tuple = tuple_of<Tuple>(batch[i]);
      dispatch.to(
          step<Tuple>(worker, batch[i],
                      table.found(candidates[i], about.hash(), tuple, about.parsed.protocol)));
    }
  }
  return dispatch.finish();
}

}  // namespace

const Spec& session4() {
  static const Spec spec{.name = "session4",
                         .function = observed<run<Tuple4>>,
                         .edges = {"rewrite4", "first-packet4", "handoff", "drop-spoofed-source",
                                   "drop-flow-conflict"}};
  return spec;
}

const Spec& session6() {
  static const Spec spec{.name = "session6",
                         .function = observed<run<Tuple6>>,
                         .edges = {"rewrite6", "first-packet6", "handoff", "drop-spoofed-source",
                                   "drop-flow-conflict"}};
  return spec;
}

}  // namespace margay::vector::nodes
