#pragma once

// Time as a dependency, so that tests decide what it is.

#include <chrono>
#include <string>

namespace margay::base {

class Clock {
 public:
  using Steady = std::chrono::steady_clock::time_point;
  using Wall = std::chrono::system_clock::time_point;

  virtual ~Clock() = default;
  virtual Steady now() const = 0;      // never goes back; for durations and deadlines
  virtual Wall wall_time() const = 0;  // may jump; for what users read
};

// The machine's clocks. Stateless; safe from any thread.
class SystemClock final : public Clock {
 public:
  Steady now() const override { return std::chrono::steady_clock::now(); }
  Wall wall_time() const override { return std::chrono::system_clock::now(); }
};

// Stands still until told to move. One thread.
class FakeClock final : public Clock {
 public:
  Steady now() const override { return now_; }
  Wall wall_time() const override { return wall_; }
  void advance(std::chrono::nanoseconds by) {
    now_ += std::chrono::duration_cast<Steady::duration>(by);
    wall_ += std::chrono::duration_cast<Wall::duration>(by);
  }

 private:
  Steady now_{std::chrono::hours(1)};
  Wall wall_{std::chrono::seconds(1'600'000'000)};
};

// RFC 3339 in UTC with whole seconds, as Kubernetes writes times: "2021-04-30T12:00:00Z".
std::string to_rfc3339(Clock::Wall time);

}  // namespace margay::base
