#pragma once

// What is counted for as long as it lasts.

#include <prometheus/gauge.h>

#include <atomic>
#include <cstddef>

namespace margay::apiserver {

class Counted {
 public:
  explicit Counted(prometheus::Gauge& gauge) : gauge_(gauge) { gauge_.Increment(); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { gauge_.Decrement(); }

 private:
  prometheus::Gauge& gauge_;
};

class InFlight {
 public:
  explicit InFlight(std::atomic<size_t>& count) : count_(count) { ++count_; }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  ~InFlight() { --count_; }

 private:
  std::atomic<size_t>& count_;
};

}  // namespace margay::apiserver
