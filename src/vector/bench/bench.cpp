#include "vector/bench/bench.h"

#include <fmt/format.h>
#include <rte_cycles.h>
#include <sys/resource.h>

#include <algorithm>

#include "vector/bench/frame.h"

namespace margay::vector::bench {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// Numbers 0 to count - 1 in an order without pattern, round after round: a full-period linear
// congruential generator over the next power of two, of which those beyond the end are skipped.
class Shuffled {
 public:
  explicit Shuffled(uint64_t count) : count_(count), mask_(std::bit_ceil(count) - 1) {}
  uint64_t next() {
    do state_ = (state_ * 6364136223846793005U + 1442695040888963407U) & mask_;
    while (state_ >= count_);
    return state_;
  }

 private:
  uint64_t count_, mask_, state_ = 0;
};

Result<> check(Worker& worker, const Traffic& traffic, size_t sent) {
  size_t right = 0;
  std::string wrong;
  for (const auto& [interface, packet] : worker.to_memory) {
    const uint64_t flow = flow_of(packet);
    if (flow < traffic.flows && traffic.is_right(packet, interface, flow))
      ++right;
    else
      wrong = fmt::format("a packet of flow {} is not what it must be", flow);
    rte_pktmbuf_free(packet);
  }
  worker.to_memory.clear();
  if (right == sent) return {};
  return fail(ErrorCode::internal, fmt::format("{} of {} packets came out right; {}", right, sent,
                                               wrong.empty() ? "the others are missing" : wrong));
}

// How often the kernel took the core away from this thread.
long preemptions() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

// What other threads and other moments do in a running engine.
void between_batches(Engine& engine) {
  engine.worker(0).expire(0);
  engine.populate();
}

// The cycles of one batch; 0 when something else ran on the core meanwhile.
Result<uint64_t> run_batch(Engine& engine, const Traffic& traffic, Shuffled& flows) {
  Worker& worker = engine.worker(0);
  rte_mbuf* batch[k_most_batch];
  if (rte_pktmbuf_alloc_bulk(engine.buffers(), batch, k_most_batch) != 0)
    return fail(ErrorCode::unavailable, "no packet buffers");
  for (auto* packet : batch) traffic.make(packet, flows.next());
  const long preempted_before = preemptions();
  const uint64_t begin = rte_rdtsc_precise();
  worker.poll(worker.now_ms, {traffic.in, batch});
  const uint64_t cycles = rte_rdtsc_precise() - begin;
  const bool undisturbed = preemptions() == preempted_before;
  between_batches(engine);
  MARGAY_CHECK(check(worker, traffic, k_most_batch));
  return undisturbed ? cycles : 0;
}

}  // namespace

Result<double> cycles_per_packet(Engine& engine, const Traffic& traffic, unsigned rounds,
                                 unsigned batches_a_round) {
  Shuffled flows(traffic.flows);
  for (unsigned i = 0; i < batches_a_round; ++i) {  // to warm up
    auto warm = run_batch(engine, traffic, flows);
    if (!warm) return std::unexpected(std::move(warm).error());
  }
  std::vector<double> each;
  for (unsigned round = 0; round < rounds; ++round) {
    uint64_t total = 0;
    unsigned counted = 0;
    for (unsigned i = 0; i < batches_a_round; ++i) {
      MARGAY_TRY(const uint64_t cycles, run_batch(engine, traffic, flows));
      total += cycles;
      counted += cycles > 0 ? 1 : 0;
    }
    if (counted > 0) each.push_back(static_cast<double>(total) / (double{k_most_batch} * counted));
  }
  if (each.empty()) return fail(ErrorCode::unavailable, "the core was never left alone");
  std::ranges::nth_element(each, each.begin() + static_cast<ptrdiff_t>(each.size() / 2));
  return each[each.size() / 2];
}

Result<> send_each_once(Engine& engine, const Traffic& traffic) {
  Worker& worker = engine.worker(0);
  rte_mbuf* batch[k_most_batch];
  for (uint64_t flow = 0; flow < traffic.flows;) {
    const auto count =
        static_cast<unsigned>(std::min<uint64_t>(k_most_batch, traffic.flows - flow));
    if (rte_pktmbuf_alloc_bulk(engine.buffers(), batch, count) != 0)
      return fail(ErrorCode::unavailable, "no packet buffers");
    for (unsigned i = 0; i < count; ++i) traffic.make(batch[i], flow++);
    worker.poll(worker.now_ms, {traffic.in, {batch, count}});
    MARGAY_CHECK(check(worker, traffic, count));
  }
  return {};
}

Measurement measured(std::string name, unsigned packet_bytes, uint64_t flows, uint64_t rules,
                     double cycles) {
  return {.name = std::move(name),
          .packet_bytes = packet_bytes,
          .flows = flows,
          .rules = rules,
          .cycles_per_packet = cycles,
          .mpps = static_cast<double>(rte_get_tsc_hz()) / cycles / 1e6,
          .note = {}};
}

}  // namespace margay::vector::bench
