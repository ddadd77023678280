#include "node/absent_parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "node/parameter_values.h"

namespace margay::node {
namespace {

// Parts that are not there.
constexpr const char* k_bpf = "there is no eBPF data plane in this version";
constexpr const char* k_wireguard = "there is no WireGuard in this version";
constexpr const char* k_ipip = "there is no IPIP in this version";
constexpr const char* k_etcd = "the agent reads a Kubernetes API, not etcd";
constexpr const char* k_typha = "the agent watches the API server itself, without a Typha";
constexpr const char* k_openstack = "there is nothing special for OpenStack in this version";
constexpr const char* k_usage = "this agent reports its use to nobody";
constexpr const char* k_debug = "it is for debugging Felix";
constexpr const char* k_xdp =
    "there is no XDP program in this version: what doNotTrack policies deny is dropped in raw";
constexpr const char* k_driver = "what enforces is chosen by --dataplane, and runs in the agent";
constexpr const char* k_reports = "Felix reports itself to etcd only, and there is none";

struct Absent {
  const char* name;
  const char* why;
  const char* as_is;  // the value that asks for nothing else than what is
};

constexpr Absent k_absent[] = {
    {"AWSSrcDstCheck", "the agent does not speak to AWS in this version", "DoNothing"},
    {"BPFConnectTimeLoadBalancingEnabled", k_bpf, "true"},
    {"BPFDataIfacePattern", k_bpf, ""},
    {"BPFDisableUnprivileged", k_bpf, "true"},
    {"BPFEnabled", k_bpf, "false"},
    {"BPFExtToServiceConnmark", k_bpf, "0"},
    {"BPFExternalServiceMode", k_bpf, "tunnel"},
    {"BPFKubeProxyEndpointSlicesEnabled", k_bpf, "false"},
    {"BPFKubeProxyIptablesCleanupEnabled", k_bpf, "true"},
    {"BPFKubeProxyMinSyncPeriod", k_bpf, "1"},
    {"BPFLogLevel", k_bpf, "off"},
    {"CalicoVersion", k_usage, ""},
    {"ClusterGUID", k_usage, ""},
    {"ClusterType", "it asks for usage reports and OpenStack, and there are neither", ""},
    {"DataplaneDriver", k_driver, ""},
    {"DebugBPFCgroupV2", k_bpf, ""},
    {"DebugBPFMapRepinEnabled", k_bpf, "true"},
    {"DebugCPUProfilePath", k_debug, ""},
    {"DebugDisableLogDropping", "no line of the log is dropped", "true"},
    {"DebugMemoryProfilePath", k_debug, ""},
    {"DebugPanicAfter", k_debug, "0"},
    {"DebugSimulateCalcGraphHangAfter", k_debug, "0"},
    {"DebugSimulateDataRace", k_debug, "false"},
    {"DebugSimulateDataplaneHangAfter", k_debug, "0"},
    {"EndpointReportingDelaySecs",
     "it spares etcd, and what EndpointReportingEnabled writes are files of this node", "0"},
    {"EtcdAddr", k_etcd, ""},
    {"EtcdCaFile", k_etcd, ""},
    {"EtcdCertFile", k_etcd, ""},
    {"EtcdEndpoints", k_etcd, ""},
    {"EtcdKeyFile", k_etcd, ""},
    {"EtcdScheme", k_etcd, ""},
    {"GenericXDPEnabled", k_xdp, "false"},
    {"IpInIpEnabled", k_ipip, "false"},
    {"IpInIpMtu", k_ipip, "0"},
    {"IpInIpTunnelAddr", k_ipip, ""},
    {"KubeNodePortRanges",
     "Felix needs it for kube-proxy's IPVS mode, which this agent's rules do not know", ""},
    {"MetadataAddr", k_openstack, "127.0.0.1"},
    {"MetadataPort", k_openstack, "8775"},
    {"OpenstackRegion", k_openstack, ""},
    {"PolicySyncPathPrefix", "there is no policy sync API in this version", ""},
    {"PrometheusGoMetricsEnabled", "there is no Go runtime to tell of", "false"},
    {"ReportingIntervalSecs", k_reports, "0"},
    {"ReportingTTLSecs", k_reports, "0"},
    {"RouteTableRange", "only WireGuard takes a table of its own, and there is none", "1-250"},
    {"SidecarAccelerationEnabled", "no socket map shortens the way to a sidecar", "false"},
    {"TyphaAddr", k_typha, ""},
    {"TyphaCAFile", k_typha, ""},
    {"TyphaCN", k_typha, ""},
    {"TyphaCertFile", k_typha, ""},
    {"TyphaK8sNamespace", k_typha, ""},
    {"TyphaK8sServiceName", k_typha, ""},
    {"TyphaKeyFile", k_typha, ""},
    {"TyphaReadTimeout", k_typha, ""},
    {"TyphaURISAN", k_typha, ""},
    {"TyphaWriteTimeout", k_typha, ""},
    {"UsageReportingEnabled", k_usage, "false"},
    {"UsageReportingInitialDelaySecs", k_usage, ""},
    {"UsageReportingIntervalSecs", k_usage, ""},
    {"UseInternalDataplaneDriver", k_driver, "true"},
    {"Variant", "this agent enforces whatever another variant does", "Calico"},
    {"WireguardEnabled", k_wireguard, "false"},
    {"WireguardInterfaceName", k_wireguard, "wireguard.cali"},
    {"WireguardListeningPort", k_wireguard, "51820"},
    {"WireguardMTU", k_wireguard, "0"},
    {"WireguardRoutingRulePriority", k_wireguard, "99"},
    {"XDPEnabled", k_xdp, "false"},
    {"XDPRefreshInterval", k_xdp, "0"},
};

bool is_same(std::string_view value, std::string_view as_is) {
  if (lower_case(value) == lower_case(as_is)) return true;
  const auto one = to_boolean(value), other = to_boolean(as_is);
  return one && other && *one == *other;
}

}  // namespace

std::map<std::string, std::string> absent_parameters() {
  std::map<std::string, std::string> absent;
  for (const auto& [name, why, as_is] : k_absent) absent.emplace(name, why);
  return absent;
}

std::optional<std::string> warning_of_absent(std::string_view name, std::string_view value) {
  const auto found = std::ranges::find_if(
      k_absent, [&](const Absent& one) { return lower_case(one.name) == lower_case(name); });
  if (found == std::end(k_absent)) return fmt::format("{}: no such setting is known", name);
  if (lower_case(value) == "none" || is_same(value, found->as_is)) return std::nullopt;
  return fmt::format("{}: \"{}\" has no effect: {}", found->name, value, found->why);
}

}  // namespace margay::node
