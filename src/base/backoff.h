#pragma once

// How long to wait before trying again: the one place that decides it.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>

namespace margay::base {

// Exponential with jitter, so that many who failed together don't come back together: the n-th
// wait is drawn from [half, whole] of initial * 2^n, up to `max`. A value; one thread.
class Backoff {
 public:
  struct Options {
    std::chrono::milliseconds initial{100};
    std::chrono::milliseconds max{30'000};
  };

  explicit Backoff(const Options& options) : options_(options), ceiling_(options.initial) {}
  Backoff(const Options& options, uint64_t seed) : Backoff(options) { random_.emplace(seed); }
  Backoff(std::chrono::milliseconds initial, std::chrono::milliseconds max)
      : Backoff(Options{initial, max}) {}

  std::chrono::milliseconds next() {
    if (!random_) random_.emplace(std::random_device{}());
    const auto whole = std::min(ceiling_, options_.max);
    ceiling_ = std::min(ceiling_ * 2, options_.max);
    std::uniform_int_distribution<int64_t> draw(whole.count() / 2, whole.count());
    return std::chrono::milliseconds(draw(*random_));
  }
  // It worked: the next failure starts from the initial wait.
  void reset() { ceiling_ = options_.initial; }

 private:
  Options options_;
  std::optional<std::mt19937_64> random_;  // most never wait, and need none
  std::chrono::milliseconds ceiling_;
};

}  // namespace margay::base
