#pragma once

// A token bucket: so many at once, and so many a second. Safe from any thread.

#include <algorithm>
#include <chrono>
#include <mutex>

#include "base/clock.h"

namespace margay::apiserver {

class Allowance {
 public:
  Allowance(double at_once, double per_second) : most_(at_once), rate_(per_second), left_(most_) {}

  // False: it is used up.
  bool take(base::Clock::Wall now) {
    const std::lock_guard lock(mutex_);
    const std::chrono::duration<double> passed = now - last_;
    last_ = now;
    // A clock that was set back gives nothing.
    left_ = std::min(most_, left_ + std::max(0.0, passed.count()) * rate_);
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  const double most_;
  const double rate_;
  std::mutex mutex_;
  double left_;
  base::Clock::Wall last_{};
};

}  // namespace margay::apiserver
