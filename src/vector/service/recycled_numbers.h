#pragma once

// Numbers for things that workers know by index. A number that is retired is given out again only
// when no worker can still hold it (Rcu). Control thread only.

#include <cstdint>
#include <deque>
#include <memory>

#include "vector/rcu.h"

namespace margay::vector {

class RecycledNumbers {
 public:
  // The caller never has more than `limit` at once. As many again may be on their way back; when
  // all of those are, `take` waits for the workers.
  RecycledNumbers(Rcu* rcu, uint32_t limit)
      : rcu_(rcu), end_(2 * limit + 1), free_(std::make_shared<std::deque<uint32_t>>()) {}

  // From 1; below `end`.
  uint32_t take() {
    if (free_->empty() && fresh_ == end_) rcu_->synchronize();
    if (free_->empty()) return fresh_++;
    const uint32_t number = free_->front();
    free_->pop_front();
    return number;
  }
  void retire(uint32_t number) {
    rcu_->defer([free = free_, number] { free->push_back(number); });
  }
  uint32_t end() const { return end_; }

 private:
  Rcu* rcu_;
  uint32_t end_;
  uint32_t fresh_ = 1;
  std::shared_ptr<std::deque<uint32_t>> free_;
};

}  // namespace margay::vector
