#include "vector/control/watchers.h"

#include <fnmatch.h>
#include <rte_cycles.h>

#include <algorithm>
#include <chrono>
#include <string_view>

#include "vector/packet.h"

namespace margay::vector {
namespace {

constexpr size_t k_head = 128;  // enough for every header that a trace shows

bool accepts(const FlowFilter& filter, rte_mbuf* packet) {
  if (filter.is_open()) return true;
  const auto flow = flow_of({bytes(packet), packet->data_len});
  return flow && filter.accepts(flow->ends);
}

}  // namespace

void Tracer::see(const rte_node& node, void** packets, uint16_t count) {
  const std::string_view name = node.name;
  if (name == "input" || packets == nullptr) return;
  const bool is_entry = name == "parse";
  const bool is_last = name == "output" || name.starts_with("drop-");
  bool is_done = false;
  {
    const std::lock_guard lock(mutex_);
    if (is_finished_) return;
    for (uint16_t i = 0; i < count; ++i) {
      auto* packet = static_cast<rte_mbuf*>(packets[i]);
      if (is_entry && seen_.size() < count_ && accepts(filter_, packet)) begin(packet);
      if (meta(packet).marks & k_traced) step(node, packet, is_last);
    }
    is_done = is_last && done_ == count_;
    is_finished_ = is_done;
  }
  if (is_done) when_done_();
}

void Tracer::begin(rte_mbuf* packet) {
  const uint8_t* frame = bytes(packet);
  on_the_way_[packet] = seen_.size();
  seen_.push_back({.in = meta(packet).interface,
                   .head = {frame, frame + std::min<size_t>(packet->data_len, k_head)},
                   .bytes = packet->pkt_len});
  meta(packet).marks |= k_traced;
}

void Tracer::step(const rte_node& node, rte_mbuf* packet, bool is_last) {
  const auto found = on_the_way_.find(packet);
  if (found == on_the_way_.end()) return;
  TracedPacket& traced = seen_[found->second];
  traced.steps.push_back({node.name, rte_rdtsc(), worker_of(&node).index});
  if (!is_last) return;
  traced.is_done = true;
  ++done_;
  on_the_way_.erase(found);
}

std::vector<TracedPacket> Tracer::finish() {
  const std::lock_guard lock(mutex_);
  is_finished_ = true;
  return std::move(seen_);
}

void Capture::see(const rte_node& node, void** packets, uint16_t count) {
  if (packets == nullptr || fnmatch(node_glob_.c_str(), node.name, 0) != 0) return;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  bool is_done = false;
  {
    const std::lock_guard lock(mutex_);
    if (is_finished_) return;
    for (uint16_t i = 0; i < count && seen_.size() < count_ && bytes_ < k_most_bytes; ++i) {
      auto* packet = static_cast<rte_mbuf*>(packets[i]);
      if (!accepts(filter_, packet)) continue;
      const uint8_t* frame = bytes(packet);
      seen_.push_back(
          {static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()),
           {frame, frame + packet->data_len}});
      bytes_ += packet->data_len;
    }
    is_done = seen_.size() == count_ || bytes_ >= k_most_bytes;
    is_finished_ = is_done;
  }
  if (is_done) when_done_();
}

std::vector<CapturedPacket> Capture::finish() {
  const std::lock_guard lock(mutex_);
  is_finished_ = true;
  return std::move(seen_);
}

}  // namespace margay::vector
