#pragma once

// Who watches packets on their way through the graph (graph/observer.h): a trace of every node that
// some packets pass, and a capture of the packets that come to one. They stop by themselves when
// they have seen enough; the control thread then takes what they saw. While one watches, workers
// take its lock; while none does, nothing of this costs anything.

#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "vector/control/flow_filter.h"
#include "vector/graph/observer.h"

namespace margay::vector {

struct TracedPacket {
  struct Step {
    std::string node;
    uint64_t cycle = 0;  // of the time stamp counter, at the node's entry
    unsigned worker = 0;
  };
  InterfaceIndex in = 0;
  std::vector<uint8_t> head;  // the frame's first bytes as it came in
  uint32_t bytes = 0;
  std::vector<Step> steps;  // the last one tells what became of it: "output" or "drop-..."
  bool is_done = false;
};

class Tracer final : public Observer {
 public:
  // `when_done` is called once, in a worker's thread.
  Tracer(const FlowFilter& filter, size_t count, std::function<void()> when_done)
      : filter_(filter), count_(count), when_done_(std::move(when_done)) {}
  void see(const rte_node& node, void** packets, uint16_t count) override;
  // What has been seen so far; nothing is added any more.
  std::vector<TracedPacket> finish();

 private:
  void begin(rte_mbuf* packet);
  void step(const rte_node& node, rte_mbuf* packet, bool is_last);

  const FlowFilter filter_;
  const size_t count_;
  const std::function<void()> when_done_;
  std::mutex mutex_;
  std::vector<TracedPacket> seen_;
  std::unordered_map<const rte_mbuf*, size_t> on_the_way_;
  size_t done_ = 0;
  bool is_finished_ = false;
};

struct CapturedPacket {
  uint64_t nanoseconds = 0;  // since 1970
  std::vector<uint8_t> frame;
};

class Capture final : public Observer {
 public:
  static constexpr size_t k_most_bytes = 8 << 20;

  // At nodes whose name matches the glob.
  Capture(std::string node_glob, const FlowFilter& filter, size_t count,
          std::function<void()> when_done)
      : node_glob_(std::move(node_glob)),
        filter_(filter),
        count_(count),
        when_done_(std::move(when_done)) {}
  void see(const rte_node& node, void** packets, uint16_t count) override;
  std::vector<CapturedPacket> finish();

 private:
  const std::string node_glob_;
  const FlowFilter filter_;
  const size_t count_;
  const std::function<void()> when_done_;
  std::mutex mutex_;
  std::vector<CapturedPacket> seen_;
  size_t bytes_ = 0;
  bool is_finished_ = false;
};

}  // namespace margay::vector
