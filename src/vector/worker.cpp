#include "vector/worker.h"

#include <rte_graph_worker.h>

#include <algorithm>

#include "base/entropy.h"
#include "vector/parse/ip_protocol.h"

namespace margay::vector {
namespace {

constexpr uint32_t k_icmp_errors_a_second = 100, k_icmp_errors_at_once = 20;

template <typename Tuple>
uint32_t timeout_of(const Session<Tuple>& session, const Timeouts& timeouts) {
  switch (session.protocol) {
    case protocol::k_tcp:
      if (session.flags & k_owned_elsewhere) return timeouts.tcp_established;
      if (session.state & k_reset) return timeouts.tcp_reset;
      if (session.state & (k_fin_forward | k_fin_reverse)) return timeouts.tcp_closing;
      return session.state & k_established ? timeouts.tcp_established : timeouts.tcp_opening;
    case protocol::k_udp:
    case protocol::k_udplite:
      return session.packets[1] == 0 ? timeouts.udp_one_way : timeouts.udp;
    case protocol::k_icmp:
    case protocol::k_icmpv6:
      return timeouts.icmp;
    default:
      return timeouts.other;
  }
}

// nodes/handoff.cpp
template <typename Tuple>
void send_forget_stub(Worker& worker, const Session<Tuple>& session) {
  rte_mbuf* message = rte_pktmbuf_alloc(worker.buffers);
  if (!message) return;
  const Tuple& reply = session.tuple[1];
  std::memcpy(rte_pktmbuf_append(message, sizeof(reply)), &reply, sizeof(reply));
  meta(message) = {};
  meta(message).marks = k_forget_stub;
  meta(message).parsed.family = sizeof(Tuple::source) == 4 ? 4 : 6;
  meta(message).parsed.protocol = session.protocol;
  const unsigned to =
      owner_of(worker.tables.flow_key.hash(reply, session.protocol), worker.tables.workers);
  if (rte_ring_mp_enqueue(worker.outboxes[to], message) != 0) rte_pktmbuf_free(message);
}

}  // namespace

Worker::Worker(unsigned worker_index, const Tables& shared_tables,
               const ServiceLimits& service_limits, rte_mempool* packet_buffers)
    : index(worker_index),
      tables(shared_tables),
      buffers(packet_buffers),
      sessions4(shared_tables.limits.sessions4, shared_tables.flow_key),
      sessions6(shared_tables.limits.sessions6, shared_tables.flow_key),
      sessions_of_adjacency(k_most_adjacencies),
      services(service_limits, base::random_words<1>()[0]),
      rule_counts(k_most_rule_counts),
      reassembly(shared_tables.limits.reassembly, base::random_words<1>()[0]),
      icmp_errors(k_icmp_errors_a_second, k_icmp_errors_at_once) {
  to_memory.reserve(k_most_to_memory);
}

Worker::~Worker() {
  for (const auto& output : to_memory) rte_pktmbuf_free(output.packet);
  delete queues.load();
}

unsigned Worker::poll(uint64_t now, MemoryBatch batch) {
  now_ms = now;
  epoch = tables.epoch.load(std::memory_order_acquire);
  sessions4.recycle();
  sessions6.recycle();
  from_memory = batch;
  rte_graph_walk(graph);
  return received;
}

template <typename Tuple>
bool Worker::admit(const Session<Tuple>& session) {
  const auto at_limit = [&](AdjacencyIndex adjacency) {
    return tables.adjacencies[adjacency]->kind == Adjacency::Kind::workload &&
           sessions_of_adjacency[adjacency] >= tables.limits.sessions_of_endpoint;
  };
  if (at_limit(session.adjacency[0]) || at_limit(session.adjacency[1])) return false;
  ++sessions_of_adjacency[session.adjacency[0]];
  ++sessions_of_adjacency[session.adjacency[1]];
  return true;
}

template <typename Tuple>
void Worker::move(Session<Tuple>& session, AdjacencyIndex to, AdjacencyIndex from) {
  --sessions_of_adjacency[session.adjacency[0]];
  --sessions_of_adjacency[session.adjacency[1]];
  session.adjacency[0] = to;
  session.adjacency[1] = from;
  ++sessions_of_adjacency[to];
  ++sessions_of_adjacency[from];
}

void Worker::count_rules(const FlowJudgement& judgement) {
  const auto count = [this](uint32_t number) {
    if (number >= k_most_rule_counts) return;
    auto& counter = rule_counts[number];
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  };
  for (const Judgement* side : {&judgement.egress, &judgement.ingress}) {
    count(side->counter);
    for (uint8_t i = 0; i < std::min(side->logged, Judgement::k_most_logged); ++i)
      count(side->logged_counters[i]);
  }
}

template <typename Tuple>
void Worker::forget(Session<Tuple>& session) {
  if (!(session.flags & k_owned_elsewhere)) {
    --sessions_of_adjacency[session.adjacency[0]];
    --sessions_of_adjacency[session.adjacency[1]];
    if (session.flags & k_has_stub) send_forget_stub(*this, session);
  }
  sessions<Tuple>().erase(session);
}

void Worker::expire(uint32_t places) {
  const auto visit = [this](auto& session) {
    // Times wrap: only their difference means something.
    if (seen_now() - session.last_seen > timeout_of(session, tables.timeouts))
      return forget(session);
  };
  sessions4.sweep(places, visit);
  sessions6.sweep(places, visit);
  sessions4.shrink();
  sessions6.shrink();
  sessions4.tell_growth();
  sessions6.tell_growth();
}

template bool Worker::admit(const Session4&);
template bool Worker::admit(const Session6&);
template void Worker::move(Session4&, AdjacencyIndex, AdjacencyIndex);
template void Worker::move(Session6&, AdjacencyIndex, AdjacencyIndex);
template void Worker::forget(Session4&);
template void Worker::forget(Session6&);

}  // namespace margay::vector
