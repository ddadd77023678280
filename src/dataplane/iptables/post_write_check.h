#pragma once

// When to read back what was written to iptables. Another program may have read the tables before
// and write the whole of them after us, without what is ours: soon after a write that is likely,
// and the longer nothing happens the less. So after an interval, and then after twice as long each
// time, for an hour.

#include <algorithm>
#include <chrono>
#include <optional>

namespace margay::dataplane::iptables {

class PostWriteCheck {
 public:
  using Clock = std::chrono::steady_clock;

  // Intervals that are shorter than 50 ms are taken for 50 ms.
  explicit PostWriteCheck(std::chrono::milliseconds first)
      : first_(std::max(first, std::chrono::milliseconds(50))) {}

  void note_write(Clock::time_point now) {
    written_ = now;
    interval_ = first_;
  }
  // Whether one is due; then it counts as made.
  bool take_due(Clock::time_point now) {
    bool is_due = false;
    for (; is_pending() && now >= *written_ + interval_; interval_ *= 2) is_due = true;
    return is_due;
  }
  std::optional<std::chrono::milliseconds> due_in(Clock::time_point now) const {
    if (!is_pending()) return std::nullopt;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*written_ + interval_ - now);
    return std::max(left, std::chrono::milliseconds(1));
  }

 private:
  bool is_pending() const { return written_ && interval_ < std::chrono::hours(1); }

  std::chrono::milliseconds first_;
  std::optional<Clock::time_point> written_;
  std::chrono::milliseconds interval_{0};
};

}  // namespace margay::dataplane::iptables
