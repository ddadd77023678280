#include "node/parameters.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "dataplane/linux/setting_text.h"
#include "node/absent_parameters.h"
#include "node/parameter_values.h"

namespace margay::node {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using namespace std::chrono_literals;

// Of BGPConfiguration's service ranges, which come as a setting.
Result<> parse_service_networks(std::string_view value, Parameters& into) {
  for (const auto part : base::split(value, ',')) {
    MARGAY_TRY(const auto net, base::Prefix::parse(base::trim(part)));
    into.service_networks.push_back(net);
  }
  return {};
}

struct Parameter {
  std::string name;
  Parser parser;
  bool guess_is_dangerous = false;
  bool non_zero = false;
};

constexpr bool k_dangerous = true;
constexpr bool k_non_zero = true;

std::vector<Parameter> parameters() {
  using P = Parameters;
  static const std::vector<std::string> k_severities{"DEBUG", "INFO", "WARNING", "ERROR", "FATAL"};
  static const std::vector<std::pair<std::string, AllowAction>> k_allow_actions{
      {"ACCEPT", AllowAction::accept}, {"RETURN", AllowAction::return_to_host}};
  return {
      {"FelixHostname", text(&P::hostname), !k_dangerous, k_non_zero},
      {"LogSeverityScreen", one_of(&P::log_severity_screen, k_severities)},
      {"LogFilePath", text(&P::log_file_path), k_dangerous},
      {"LogSeverityFile", one_of(&P::log_severity_file, k_severities)},
      {"LogSeveritySys", one_of(&P::log_severity_sys, k_severities)},
      {"DatastoreType", datastore_type(), k_dangerous, k_non_zero},
      {"HealthEnabled", boolean(&P::health_enabled)},
      {"HealthHost", text(&P::health_host)},
      {"HealthPort", integer(&P::health_port, 0, 65535)},
      {"PrometheusMetricsEnabled", boolean(&P::metrics_enabled)},
      {"PrometheusMetricsHost", text(&P::metrics_host)},
      {"PrometheusMetricsPort", integer(&P::metrics_port, 0, 65535)},
      {"PrometheusProcessMetricsEnabled", boolean(&P::process_metrics)},
      {"Ipv6Support", boolean(&P::ipv6_support)},
      {"InterfacePrefix", interface_prefixes(), k_dangerous, k_non_zero},
      {"InterfaceExclude", excluded_interfaces()},
      {"IptablesBackend", one_of(&P::iptables_backend, {"auto", "nft", "legacy"})},
      {"ChainInsertMode",
       one_of<ChainInsertMode>(&P::chain_insert_mode, {{"insert", ChainInsertMode::insert},
                                                       {"append", ChainInsertMode::append}}),
       k_dangerous, k_non_zero},
      {"IptablesLockTimeoutSecs", duration(&P::iptables_lock_timeout)},
      {"IptablesLockProbeIntervalMillis", duration(&P::iptables_lock_probe_interval, 1ms)},
      {"IptablesLockFilePath", text(&P::iptables_lock_file)},
      {"FeatureDetectOverride", feature_overrides()},
      {"MaxIpsetSize", integer(&P::max_ipset_size, 1, 0xffffffff), !k_dangerous, k_non_zero},
      {"IptablesMarkMask", mark_mask(), k_dangerous, k_non_zero},
      {"IptablesFilterAllowAction", one_of(&P::filter_allow_action, k_allow_actions), k_dangerous,
       k_non_zero},
      {"IptablesMangleAllowAction", one_of(&P::mangle_allow_action, k_allow_actions), k_dangerous,
       k_non_zero},
      {"DefaultEndpointToHostAction",
       one_of<EndpointToHostAction>(&P::endpoint_to_host_action,
                                    {{"DROP", EndpointToHostAction::drop},
                                     {"RETURN", EndpointToHostAction::return_to_host},
                                     {"ACCEPT", EndpointToHostAction::accept}}),
       k_dangerous, k_non_zero},
      {"FailsafeInboundHostPorts", failsafes(&policy::Failsafes::inbound), k_dangerous},
      {"FailsafeOutboundHostPorts", failsafes(&policy::Failsafes::outbound), k_dangerous},
      {"ServiceLoopPrevention",
       one_of<ServiceLoopPrevention>(&P::service_loop_prevention,
                                     {{"Drop", ServiceLoopPrevention::drop},
                                      {"Reject", ServiceLoopPrevention::reject},
                                      {"Disabled", ServiceLoopPrevention::disabled}},
                                     ServiceLoopPrevention::disabled)},
      {k_service_networks, parser(&P::service_networks, parse_service_networks)},
      {"LogPrefix", text(&P::log_prefix, dataplane::linux_host::check_log_prefix)},
      {"DisableConntrackInvalidCheck", boolean(&P::disable_conntrack_invalid_check)},
      {"AllowVXLANPacketsFromWorkloads", boolean(&P::allow_vxlan_from_workloads)},
      {"AllowIPIPPacketsFromWorkloads", boolean(&P::allow_ipip_from_workloads)},
      {"FloatingIPs", one_of<bool>(&P::floating_ips, {{"Enabled", true}, {"Disabled", false}})},
      {"VXLANEnabled", boolean(&P::vxlan_enabled)},
      {"VXLANPort", integer(&P::vxlan_port, 1, 65535)},
      {"VXLANVNI", integer(&P::vxlan_vni, 0, 0xffffff)},
      {"VXLANMTU", integer(&P::vxlan_mtu, 0, 65535)},
      {"MTUIfacePattern", regular_expression(&P::mtu_interface_pattern)},
      {"IPv4VXLANTunnelAddr", ipv4_address(&P::vxlan_tunnel_address)},
      {"VXLANTunnelMACAddr", mac_address(&P::vxlan_tunnel_mac)},
      {"ExternalNodesCIDRList", external_nodes(), k_dangerous},
      {"NATPortRange", nat_port_range()},
      {"NATOutgoingAddress", ipv4_address(&P::nat_outgoing_address)},
      {"IptablesNATOutgoingInterfaceFilter",
       text(&P::nat_outgoing_interface_filter, dataplane::linux_host::check_interface_filter)},
      {"DeviceRouteProtocol", route_protocol()},
      {"DeviceRouteSourceAddress", ipv4_address(&P::device_route_source_address)},
      {"RemoveExternalRoutes", boolean(&P::remove_external_routes)},
      {"RouteSource",
       one_of<RouteSource>(&P::route_source, {{"WorkloadIPs", RouteSource::workload_ips},
                                              {"CalicoIPAM", RouteSource::calico_ipam}})},
      {"NetlinkTimeoutSecs", duration(&P::netlink_timeout)},
      {"IptablesRefreshInterval", duration(&P::iptables_refresh_interval)},
      {"RouteRefreshInterval", duration(&P::route_refresh_interval)},
      {"IpsetsRefreshInterval", duration(&P::ipsets_refresh_interval)},
      {"InterfaceRefreshInterval", duration(&P::interface_refresh_interval)},
      {"IptablesPostWriteCheckIntervalSecs", duration(&P::iptables_post_write_check_interval)},
      {"EndpointReportingEnabled", boolean(&P::endpoint_reporting_enabled)},
  };
}

// The fields of FelixConfiguration that are not called as their parameter is.
const std::string& parameter_of(const std::string& name) {
  static const std::map<std::string, std::string> k_fields{
      {"iptablespostwritecheckinterval", "IptablesPostWriteCheckIntervalSecs"},
      {"iptableslocktimeout", "IptablesLockTimeoutSecs"},
      {"iptableslockprobeinterval", "IptablesLockProbeIntervalMillis"},
      {"netlinktimeout", "NetlinkTimeoutSecs"},
      {"ipipenabled", "IpInIpEnabled"},
      {"ipipmtu", "IpInIpMtu"},
      {"reportinginterval", "ReportingIntervalSecs"},
      {"reportingttl", "ReportingTTLSecs"},
      {"endpointreportingdelay", "EndpointReportingDelaySecs"},
      {"usagereportinginitialdelay", "UsageReportingInitialDelaySecs"},
      {"usagereportinginterval", "UsageReportingIntervalSecs"},
      {"externalnodeslist", "ExternalNodesCIDRList"},
  };
  const auto field = k_fields.find(lower_case(name));
  return field == k_fields.end() ? name : field->second;
}

// "none" is the zero value of the parameter's type.
Result<> set_to(const Parameter& parameter, std::string_view value, Parameters& into) {
  if (lower_case(value) != "none") return parameter.parser.parse(value, into);
  if (parameter.non_zero || !parameter.parser.set_zero)
    return fail(ErrorCode::invalid, "must not be none");
  parameter.parser.set_zero(into);
  return {};
}

// With either set Felix reads etcd, whatever DatastoreType is.
bool selects_etcd(const std::string& name, std::string_view value) {
  const std::string lower = lower_case(name);
  return (lower == "etcdendpoints" || lower == "etcdaddr") &&
         lower_case(base::trim(value)) != "none";
}

// Of values that are well formed.
std::vector<std::string> remarks(const Parameters& parameters) {
  static const std::set<std::string> k_features{"SNATFullyRandom", "MASQFullyRandom",
                                                "RestoreSupportsLock"};
  std::vector<std::string> remarks;
  for (const auto& [name, on] : parameters.feature_overrides)
    if (!k_features.contains(name))
      remarks.push_back(
          fmt::format("FeatureDetectOverride: {} is nothing that this agent detects", name));
  return remarks;
}

}  // namespace

std::set<std::string> parameters_in_effect() {
  std::set<std::string> names;
  for (const auto& parameter : parameters()) names.insert(parameter.name);
  names.erase(k_service_networks);
  return names;
}

base::Result<Resolved> resolve(const std::vector<Settings>& sources) {
  const std::vector<Parameter> table = parameters();
  Resolved resolved;
  std::set<std::string> decided;
  for (const auto& settings : sources) {
    for (const auto& [field, value] : settings) {
      if (value.empty()) continue;
      const std::string& name = parameter_of(field);
      const auto parameter = std::ranges::find_if(
          table, [&](const Parameter& p) { return lower_case(p.name) == lower_case(name); });
      if (parameter == table.end()) {
        if (selects_etcd(name, value))
          return fail(ErrorCode::invalid, name +
                                              ": as DatastoreType etcdv3: what policies are in "
                                              "etcd would not hold");
        if (decided.insert(lower_case(name)).second)
          if (auto warning = warning_of_absent(name, base::trim(value)))
            resolved.warnings.push_back(*std::move(warning));
        continue;
      }
      if (!decided.insert(parameter->name).second) continue;
      const auto set = set_to(*parameter, base::trim(value), resolved.parameters);
      if (set) continue;
      const std::string problem =
          fmt::format("{}: \"{}\": {}", parameter->name, value, set.error().message);
      const bool none = lower_case(base::trim(value)) == "none";
      if (parameter->guess_is_dangerous || (none && parameter->non_zero))
        return fail(ErrorCode::invalid, problem);
      resolved.warnings.push_back(problem + "; using the default");
    }
  }
  for (auto& remark : remarks(resolved.parameters)) resolved.warnings.push_back(std::move(remark));
  return resolved;
}

}  // namespace margay::node
