#pragma once

// One packet worker: a graph, and everything only it writes. `poll` is its whole life: take what
// has come in, walk the graph, let go of old sessions.

#include <rte_graph.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "vector/adjacency.h"
#include "vector/classifier/policy_view.h"
#include "vector/jobs.h"
#include "vector/packet.h"
#include "vector/parse/reassembly.h"
#include "vector/parse/token_bucket.h"
#include "vector/service/service_worker.h"
#include "vector/session/session_table.h"
#include "vector/tables.h"

namespace margay::vector {

class Observer;

// Packets that come from memory, for use as a library, in tests and benchmarks.
struct MemoryBatch {
  InterfaceIndex interface = 0;
  std::span<rte_mbuf* const> packets;
};

inline constexpr size_t k_most_rule_counts = size_t{1} << 22;

// What left through an interface of kind memory; the taker frees the packets.
struct MemoryOutput {
  InterfaceIndex interface;
  rte_mbuf* packet;
};

struct Worker {
  Worker(unsigned index, const Tables& tables, const ServiceLimits& service_limits,
         rte_mempool* buffers);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // One round over the graph, at time `now`. At most `k_most_batch` packets from memory; they are
  // the worker's from then on. Returns how many packets came in, from anywhere.
  unsigned poll(uint64_t now_ms, MemoryBatch from_memory = {});
  // Between rounds: looks at some sessions and forgets those that have timed out; tells how far the
  // tables have grown (Engine::populate).
  void expire(uint32_t places);

  template <typename Tuple>
  SessionTable<Tuple>& sessions() {
    if constexpr (std::is_same_v<Tuple, Tuple4>)
      return sessions4;
    else
      return sessions6;
  }
  template <typename Tuple>
  void forget(Session<Tuple>& session);
  // Takes the session into account at both ends; false: an endpoint has as many as it may.
  template <typename Tuple>
  bool admit(const Session<Tuple>& session);
  // Where the session's packets go to and come from has changed.
  template <typename Tuple>
  void move(Session<Tuple>& session, AdjacencyIndex to, AdjacencyIndex from);
  // Whether a packet came in where its session's packets in this direction come from. Between
  // uplinks they may wander; a workload has one interface.
  bool came_the_right_way(const PacketMeta& about, AdjacencyIndex back) const;
  void count_rules(const FlowJudgement& judgement);

  const unsigned index;
  const Tables& tables;
  rte_mempool* const buffers;
  rte_graph* graph = nullptr;
  std::atomic<Observer*> observer = nullptr;
  Jobs jobs;

  uint64_t now_ms = 0;  // of a clock that never jumps
  uint32_t seen_now() const { return static_cast<uint32_t>(now_ms); }  // for Session::last_seen
  uint32_t epoch = 0;  // of the configuration that this round sees

  SessionTable<Tuple4> sessions4;
  SessionTable<Tuple6> sessions6;
  std::vector<uint32_t> sessions_of_adjacency;
  ServiceWorker services;
  // New flows by what decided them: RuleCounters' numbers. Written here, read by the control
  // thread.
  MappedArray<std::atomic<uint64_t>> rule_counts;

  Reassembly reassembly;
  TokenBucket icmp_errors;

  // The input node's.
  MemoryBatch from_memory;
  unsigned received = 0;
  std::atomic<const std::vector<PolledQueue>*> queues = nullptr;
  // The output node's.
  std::vector<MemoryOutput> to_memory;
  // Other workers put packets of our flows here; and where we put theirs, by worker.
  rte_ring* inbox = nullptr;
  std::vector<rte_ring*> outboxes;
};

inline bool Worker::came_the_right_way(const PacketMeta& about, AdjacencyIndex back) const {
  const Adjacency& adjacency = *tables.adjacencies[back];
  if (adjacency.interface == about.interface) [[likely]]
    return true;
  const Interface& interface = *tables.interfaces[about.interface];
  return adjacency.kind != Adjacency::Kind::workload && interface.kind != Interface::Kind::none &&
         !interface.is_workload;
}

inline constexpr unsigned k_most_batch = 256;
inline constexpr size_t k_most_to_memory = 4096;

}  // namespace margay::vector
