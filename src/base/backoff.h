#pragma once

// How long to wait before trying again: doubling from `least` to `most`, each wait a random part
// (half to all) of that, so that many who failed together do not come back together. RFC 8961's
// advice, in one place.

#include <algorithm>
#include <chrono>
#include <random>

namespace margay::base {

class Backoff {
 public:
  Backoff(std::chrono::milliseconds least, std::chrono::milliseconds most)
      : least_(least), most_(most), current_(least), random_(std::random_device{}()) {}

  std::chrono::milliseconds next() {
    const auto most_now = current_.count();
    current_ = std::min(most_, current_ * 2);
    return std::chrono::milliseconds(
        std::uniform_int_distribution<long>(most_now / 2, most_now)(random_));
  }
  // After a success.
  void reset() { current_ = least_; }

 private:
  std::chrono::milliseconds least_;
  std::chrono::milliseconds most_;
  std::chrono::milliseconds current_;
  std::minstd_rand random_;
};

}  // namespace margay::base
