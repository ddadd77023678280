#pragma once

// The agent's metrics, under Felix's names, so that Calico's dashboards go on working. Safe from
// any thread.

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/summary.h>

#include <map>
#include <memory>
#include <string>

#include "dataplane/endpoint_status.h"

namespace margay::node {

class AgentMetrics {
 public:
  explicit AgentMetrics(const std::string& node);

  // The Prometheus text format, version 0.0.4; with what the process uses, if asked for.
  std::string text(bool with_process = false) const;

 private:
  std::shared_ptr<prometheus::Registry> registry_;

 public:
  prometheus::Gauge& active_local_endpoints;
  prometheus::Gauge& active_local_policies;
  prometheus::Gauge& active_local_selectors;
  prometheus::Gauge& cluster_workload_endpoints;
  prometheus::Gauge& cluster_host_endpoints;
  prometheus::Gauge& cluster_hosts;
  prometheus::Gauge& cluster_policies;
  prometheus::Gauge& cluster_profiles;
  prometheus::Gauge& resync_state;  // 1 waiting, 2 resyncing, 3 in sync
  prometheus::Counter& graph_output_events;
  prometheus::Summary& graph_update_seconds;
  prometheus::Counter& data_plane_failures;
  prometheus::Summary& data_plane_apply_seconds;
  // Endpoints by how the data plane says it stands with them.
  std::map<dataplane::EndpointState, prometheus::Gauge*> data_plane_endpoints;
  prometheus::Counter& flow_packets_allowed;
  prometheus::Counter& flow_packets_denied;
  prometheus::Counter& log_errors;
  prometheus::Counter& resyncs_started;
};

}  // namespace margay::node
