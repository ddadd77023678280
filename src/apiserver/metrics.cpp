#include "apiserver/metrics.h"

#include <prometheus/text_serializer.h>

namespace margay::apiserver {
namespace {

prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

Metrics::Metrics()
    : requests_(prometheus::BuildCounter()
                    .Name("apiserver_request_total")
                    .Help("Requests answered, by verb, resource and HTTP status code.")
                    .Register(registry_)),
      durations_(prometheus::BuildHistogram()
                     .Name("apiserver_request_duration_seconds")
                     .Help("Time to the answer (watches: to its beginning), by verb.")
                     .Register(registry_)),
      in_flight_(gauge(registry_, "apiserver_current_inflight_requests",
                       "Requests being handled now, watches not counted.")),
      watches_(gauge(registry_, "apiserver_longrunning_requests", "Watches open now.")),
      connections_(gauge(registry_, "apiserver_connections", "Client connections open now.")),
      watch_bytes_(prometheus::BuildCounter()
                       .Name("apiserver_watch_events_bytes_total")
                       .Help("Bytes of watch events sent.")
                       .Register(registry_)
                       .Add({})),
      unreadable_(prometheus::BuildCounter()
                      .Name("apiserver_unreadable_objects_total")
                      .Help("Stored objects that cannot be read, and are set aside.")
                      .Register(registry_)),
      audit_errors_(prometheus::BuildCounter()
                        .Name("apiserver_audit_error_total")
                        .Help("Audit events that could not be written.")
                        .Register(registry_)
                        .Add({})) {}

void Metrics::count_request(const RequestLabels& labels, int code,
                            std::chrono::nanoseconds duration) {
  requests_
      .Add({{"verb", labels.verb}, {"resource", labels.resource}, {"code", std::to_string(code)}})
      .Increment();
  static const prometheus::Histogram::BucketBoundaries buckets{
      0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  durations_.Add({{"verb", labels.verb}}, buckets)
      .Observe(std::chrono::duration<double>(duration).count());
}

void Metrics::count_watch_bytes(size_t bytes) {
  watch_bytes_.Increment(static_cast<double>(bytes));
}

void Metrics::count_unreadable(const store::Key& key) {
  unreadable_.Add({{"resource", key.resource}, {"namespace", key.ns}, {"name", key.name}})
      .Increment();
}

void Metrics::count_lost_audit_event() { audit_errors_.Increment(); }

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace margay::apiserver
