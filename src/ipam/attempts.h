#pragma once

// Bounds how often a compare-and-swap is tried, and waits in between:
//   for (Attempts attempts; attempts.left(); attempts.wait()) { ... return ...; }
//   return Attempts::exhausted("block 10.0.0.0/26");

#include <fmt/format.h>

#include <chrono>
#include <string_view>
#include <thread>

#include "base/backoff.h"
#include "base/result.h"

namespace margay::ipam {

class Attempts {
 public:
  bool left() const { return left_ > 0; }
  void wait() {
    if (--left_ == 0) return;
    std::this_thread::sleep_for(backoff_.next());
  }
  static std::unexpected<base::Error> exhausted(std::string_view what) {
    return base::fail(base::ErrorCode::unavailable,
                      fmt::format("{}: changed by others each time; try again", what));
  }

 private:
  static constexpr base::Backoff::Options k_waits{.initial = std::chrono::milliseconds(2),
                                                  .max = std::chrono::milliseconds(64)};
  int left_ = 100;
  base::Backoff backoff_{k_waits};
};

}  // namespace margay::ipam
