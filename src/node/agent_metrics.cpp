#include "node/agent_metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "node/process_metrics.h"

namespace margay::node {
namespace {

prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Summary& summary(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildSummary().Name(name).Help(help).Register(registry).Add(
      {}, prometheus::Summary::Quantiles{{0.5, 0.05}, {0.9, 0.01}, {0.99, 0.001}});
}

std::map<dataplane::EndpointState, prometheus::Gauge*> endpoint_gauges(
    prometheus::Registry& registry) {
  auto& family = prometheus::BuildGauge()
                     .Name("felix_dataplane_endpoints")
                     .Help("Endpoints of this host by what the data plane reports of them.")
                     .Register(registry);
  std::map<dataplane::EndpointState, prometheus::Gauge*> gauges;
  for (const auto state : dataplane::k_endpoint_states)
    gauges[state] = &family.Add({{"status", std::string(to_string(state))}});
  return gauges;
}

prometheus::Counter& flow_packets(prometheus::Registry& registry, const char* verdict) {
  return prometheus::BuildCounter()
      .Name("felix_dataplane_flow_packets")
      .Help("Packets in the flow records that the data plane has told, by verdict.")
      .Register(registry)
      .Add({{"verdict", verdict}});
}

}  // namespace

AgentMetrics::AgentMetrics(const std::string& node)
    : registry_(std::make_shared<prometheus::Registry>()),
      active_local_endpoints(
          gauge(*registry_, "felix_active_local_endpoints", "Active endpoints on this host.")),
      active_local_policies(
          gauge(*registry_, "felix_active_local_policies", "Active policies on this host.")),
      active_local_selectors(
          gauge(*registry_, "felix_active_local_selectors", "Active selectors on this host.")),
      cluster_workload_endpoints(gauge(*registry_, "felix_cluster_num_workload_endpoints",
                                       "Workload endpoints in the cluster.")),
      cluster_host_endpoints(
          gauge(*registry_, "felix_cluster_num_host_endpoints", "Host endpoints in the cluster.")),
      cluster_hosts(gauge(*registry_, "felix_cluster_num_hosts", "Hosts in the cluster.")),
      cluster_policies(gauge(*registry_, "felix_cluster_num_policies", "Policies in the cluster.")),
      cluster_profiles(gauge(*registry_, "felix_cluster_num_profiles", "Profiles in the cluster.")),
      resync_state(gauge(*registry_, "felix_resync_state",
                         "State of the datastore connection: 1 waiting, 2 resyncing, 3 in sync.")),
      graph_output_events(counter(*registry_, "felix_calc_graph_output_events",
                                  "Deltas that the policy graph has emitted.")),
      graph_update_seconds(summary(*registry_, "felix_calc_graph_update_time_seconds",
                                   "Seconds to bring the policy graph up to date.")),
      data_plane_failures(counter(*registry_, "felix_int_dataplane_failures",
                                  "Data plane updates that failed and were tried again.")),
      data_plane_apply_seconds(summary(*registry_, "felix_int_dataplane_apply_time_seconds",
                                       "Seconds to bring the data plane to the desired state.")),
      data_plane_endpoints(endpoint_gauges(*registry_)),
      flow_packets_allowed(flow_packets(*registry_, "allow")),
      flow_packets_denied(flow_packets(*registry_, "deny")),
      log_errors(counter(*registry_, "felix_log_errors", "Errors logged.")),
      resyncs_started(
          counter(*registry_, "felix_resyncs_started", "Resyncs with the datastore started.")) {
  prometheus::BuildGauge()
      .Name("felix_host")
      .Help("This host, as a label, for joining with other metrics.")
      .Register(*registry_)
      .Add({{"host", node}})
      .Set(1);
}

std::string AgentMetrics::text(bool with_process) const {
  std::ostringstream out;
  auto families = registry_->Collect();
  if (with_process) std::ranges::move(process_metrics(), std::back_inserter(families));
  prometheus::TextSerializer().Serialize(out, families);
  return out.str();
}

}  // namespace margay::node
