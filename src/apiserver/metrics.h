#pragma once

// What the server counts, under the names kube-apiserver uses, in Prometheus' text form.
// Safe from any thread.

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <atomic>
#include <chrono>
#include <string>

#include "apiserver/router.h"
#include "store/store.h"

namespace margay::apiserver {

class Metrics {
 public:
  Metrics();

  void count_request(const RequestLabels& labels, int code, std::chrono::nanoseconds duration);
  void count_watch_bytes(size_t bytes);
  // A stored object that answers go without.
  void count_unreadable(const store::Key& key);
  void count_lost_audit_event();
  prometheus::Gauge& in_flight() { return in_flight_; }
  prometheus::Gauge& watches() { return watches_; }
  prometheus::Gauge& connections() { return connections_; }

  std::string text() const;

 private:
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
  prometheus::Gauge& in_flight_;
  prometheus::Gauge& watches_;
  prometheus::Gauge& connections_;
  prometheus::Counter& watch_bytes_;
  prometheus::Family<prometheus::Counter>& unreadable_;
  prometheus::Counter& audit_errors_;
};

}  // namespace margay::apiserver
