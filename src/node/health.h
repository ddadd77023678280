#pragma once

// Is this agent alive, and is it ready? Each part that can hang or fall behind reports for itself;
// the whole is what its parts are.
//
// Served as Felix serves it: GET /liveness and /readiness, 200 or 503, on HealthHost:HealthPort.
// Safe from any thread.

#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"

namespace margay::node {

class Health {
 public:
  explicit Health(const base::Clock& clock) : clock_(clock) {}

  // A part that must report at least every `timeout` to be live; 0: no such duty. Not ready, and
  // live, until its first report.
  void add_part(const std::string& name, std::chrono::milliseconds timeout);
  // `detail` is what a person reads when it is not ready.
  void report(const std::string& name, bool ready, std::string detail = {});

  struct Answer {
    bool good = false;
    std::string text;  // a line a part
  };
  Answer live() const;
  Answer ready() const;

 private:
  struct Part {
    std::chrono::milliseconds timeout;
    base::Clock::Steady last_report;
    bool ready = false;
    std::string detail = "starting";
  };
  bool is_live(const Part& part) const;

  const base::Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Part> parts_;
};

}  // namespace margay::node
