#pragma once

// At most so many a second, and so many at once. One a worker. Used for ICMP errors, which a router
// must limit (RFC 1812 4.3.2.8, RFC 4443 2.4 (f)).

#include <algorithm>
#include <cstdint>

namespace margay::vector {

class TokenBucket {
 public:
  // Starts full.
  constexpr TokenBucket(uint32_t per_second, uint32_t burst)
      : per_second_(per_second), full_(uint64_t{burst} * k_token), level_(full_) {}

  // Takes one, if there is one. Times never go back.
  bool take(uint64_t now_ms) {
    const uint64_t elapsed = std::min<uint64_t>(now_ms - last_ms_, k_longest_ms);
    last_ms_ = now_ms;
    level_ = std::min(full_, level_ + elapsed * per_second_);
    if (level_ < k_token) return false;
    level_ -= k_token;
    return true;
  }

 private:
  static constexpr uint64_t k_token = 1000;  // a millisecond is worth per_second_ of it
  static constexpr uint64_t k_longest_ms = uint64_t{1} << 31;  // cannot overflow, fills any bucket

  uint64_t per_second_, full_, level_;
  uint64_t last_ms_ = 0;
};

}  // namespace margay::vector
