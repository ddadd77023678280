// Makes a packet what it leaves as: translated addresses and ports, one hop less to live, the next
// hop's Ethernet header.

#include "vector/parse/rewrite.h"

#include "vector/graph/dispatch.h"
#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"
#include "vector/nodes/translate.h"

namespace margay::vector::nodes {
namespace {

enum Edge : rte_edge_t { to_output, to_icmp_error, to_handoff };

// So often a packet renews the other worker's note of who owns the flow, once replies have come.
constexpr uint32_t k_packets_for_one_stub_renewal = 64;

// A translated flow's packet, by way of the worker that its replies come to (nodes/handoff.cpp).
template <typename Tuple>
Way by_way_of_reply_worker(const Worker& worker, PacketMeta& about, const Session<Tuple>& session) {
  const uint64_t reply_hash = worker.tables.flow_key.hash(session.tuple[1], session.protocol);
  about.marks |= k_install_stub;
  about.parsed.source_port = big_endian(session.tuple[1].destination_port);  // as it leaves
  about.parsed.destination_port = big_endian(session.tuple[1].source_port);
  about.session = owner_of(reply_hash, worker.tables.workers) << 16 | worker.index;
  return {.edge = to_handoff};
}

template <typename Tuple>
Way translate(const Worker& worker, rte_mbuf* packet, SessionRef ref,
              const Session<Tuple>& session) {
  PacketMeta& about = meta(packet);
  const FlowDirection direction = ref.direction();
  if (!apply(rewrite_of(session, direction), bytes(packet), about.parsed)) [[unlikely]]
    return {.reason = DropReason::not_translatable};
  if (session.flags & k_has_stub && direction == FlowDirection::forward &&
      (session.packets[1] == 0 || session.packets[0] % k_packets_for_one_stub_renewal == 0))
    return by_way_of_reply_worker(worker, about, session);
  return {};
}

template <typename Tuple>
Way step(Worker& worker, rte_mbuf* packet) {
  constexpr uint8_t k_family = sizeof(Tuple::source) == 4 ? 4 : 6;
  PacketMeta& about = meta(packet);
  const Adjacency& adjacency = *worker.tables.adjacencies[about.adjacency];
  uint8_t* ip = bytes(packet) + about.parsed.l3_offset;
  if (!adjacency.has_neighbour) [[unlikely]]
    return {.reason = adjacency.kind == Adjacency::Kind::none ? DropReason::no_route
                                                              : DropReason::no_neighbour};
  if (!(about.marks & k_own)) [[likely]] {
    about.reason = DropReason::too_big;
    if (about.parsed.l3_length > adjacency.mtu) [[unlikely]]
      return {.edge = to_icmp_error};
    about.reason = DropReason::ttl_expired;
    if (!decrement_ttl(ip, k_family)) [[unlikely]]
      return {.edge = to_icmp_error};
  }
  std::memcpy(ip - k_ethernet_header, adjacency.ethernet.data(), adjacency.ethernet.size());
  if (about.session == 0) return {};
  const SessionRef ref{about.session};
  const auto& session = worker.sessions<Tuple>()[ref];
  return session.flags & k_translated ? translate(worker, packet, ref, session) : Way{};
}

template <typename Tuple>
uint16_t run(Worker& worker, rte_graph* graph, rte_node* node, void** packets, uint16_t count) {
  Dispatch dispatch(graph, node, packets, count, to_output);
  for (uint16_t i = 0; i < count; ++i)
    dispatch.go(step<Tuple>(worker, static_cast<rte_mbuf*>(packets[i])));
  return dispatch.finish();
}

}  // namespace

const Spec& rewrite4() {
  static const Spec spec{.name = "rewrite4",
                         .function = observed<run<Tuple4>>,
                         .edges = {"output", "icmp-error", "handoff"}};
  return spec;
}

const Spec& rewrite6() {
  static const Spec spec{.name = "rewrite6",
                         .function = observed<run<Tuple6>>,
                         .edges = {"output", "icmp-error", "handoff"}};
  return spec;
}

}  // namespace margay::vector::nodes
