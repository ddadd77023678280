#pragma once

// What is made of the answer that a store does not have a scope, or does not let us see it, where
// it may be missing. Servers say so too while they start: before a role is known to them, or a
// kind. So it counts only once everything that must be there has been listed, and is doubted for a
// while.

#include <chrono>
#include <optional>

#include "base/backoff.h"

namespace margay::store {

// A value; one thread.
class Absence {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `check`: how often what is believed to be missing is looked for.
  Absence(const base::Backoff::Options& backoff, std::chrono::milliseconds check)
      : backoff_(backoff), check_(check) {}

  // The scope was said to be missing: how long until it is looked for again. `is_believed`: it was
  // asked for after all that must be there had been listed.
  std::chrono::milliseconds next(Time now, bool is_believed) {
    if (is_believed && !since_) {
      since_ = now;
      backoff_.reset();
    }
    return since_ && now - *since_ >= k_doubted ? check_ : backoff_.next();
  }
  // It is there.
  void end() {
    since_.reset();
    backoff_.reset();
  }

 private:
  static constexpr std::chrono::minutes k_doubted{1};

  base::Backoff backoff_;
  std::chrono::milliseconds check_;
  std::optional<Time> since_;  // it is believed
};

}  // namespace margay::store
