// The fields of FelixConfiguration, one line each.

#include <algorithm>

#include "api/calico/common.h"
#include "api/calico/configuration.h"
#include "api/calico/felix_settings.h"

namespace margay::api::calico {

namespace {

Described<std::string> seconds() { return string().format(k_seconds).check(formats::duration); }
Described<std::string> milliseconds() {
  return string().format(k_milliseconds).check(formats::duration);
}
Described<std::string> pattern() { return string().check(formats::regular_expression); }
Described<int64_t> mtu() { return integer().between(0, 65535); }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// One of these words, in any letter case; stored as spelt here.
Described<std::string> choice(std::vector<std::string> words) {
  auto described = string().one_of(words);
  return std::move(described).normalize([words = std::move(words)](json::value& value) {
    for (const auto& word : words)
      if (equal_ignoring_case(value.get_string(), word)) value = word;
  });
}

bool is_interface_word(std::string_view text) {
  return !text.empty() && text.size() <= 15 && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view(":._+-").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

Described<std::string> interface_parameter() {
  return string().check([](const std::string& text, const Report& report) {
    if (!is_interface_word(text))
      report.invalid(text, "must be an interface name of at most 15 characters");
  });
}

Described<std::string> interface_prefixes() {
  return string().check([](const std::string& text, const Report& report) {
    std::string_view rest = text;
    for (;;) {
      const std::string_view word = rest.substr(0, rest.find(','));
      if (!is_interface_word(word)) {
        report.invalid(text, "must be interface name prefixes of 1 to 15 characters, by commas");
        return;
      }
      if (word.size() == rest.size()) return;
      rest.remove_prefix(word.size() + 1);
    }
  });
}

Described<std::string> host() {
  return string().check([](const std::string& text, const Report& report) {
    const bool address = base::IPAddress::parse(text).has_value();
    if (!address && !formats::is_dns_subdomain(text))
      report.invalid(text, "must be an address or a host name");
  });
}

void check_failsafe_protocol(const std::string& text, const Report& report) {
  static const std::vector<std::string> k_protocols{"TCP", "UDP", "SCTP"};
  if (!std::ranges::any_of(k_protocols,
                           [&](const auto& one) { return equal_ignoring_case(one, text); }))
    report.not_supported(json::value(text), k_protocols);
}

Described<std::vector<json::value>> failsafe_ports() {
  return list(object(
      "projectcalico.org.v3.ProtoPort", "A port, of one protocol, of one network.",
      {keep("protocol", string().check(check_failsafe_protocol), "TCP (the default), UDP or SCTP."),
       keep("port", integer().between(0, 65535), "The port.").required(),
       keep("net", net(), "The remote network; unset: any.")}));
}

Described<json::value> route_table_range() {
  return object("projectcalico.org.v3.RouteTableRange", "Routing tables, from min to max.",
                {keep("min", integer().between(1, 250), "The first table.").required(),
                 keep("max", integer().between(1, 250), "The last table.").required()})
      .check([](const json::value& range, const Report& report) {
        if (range.at("min").get_int64() > range.at("max").get_int64())
          report.field("min").invalid(range.at("min"), "must not be above max");
      });
}

}  // namespace

Described<json::value> felix_spec() {
  return object(
      "projectcalico.org.v3.FelixConfigurationSpec",
      "Settings of the node agent. Those not set have the agent's defaults.",
      {keep("useInternalDataplaneDriver", boolean(),
            "Use the built-in driver of the kernel's data plane."),
       keep("dataplaneDriver", string(),
            "The program that drives the data plane when the built-in one is not used."),
       keep("wireguardEnabled", boolean(), "Encrypt traffic between nodes with WireGuard."),
       keep("wireguardListeningPort", integer().between(1, 65535),
            "The UDP port WireGuard listens on."),
       keep("wireguardRoutingRulePriority", integer().between(0, 2147483647),
            "The priority of the routing rule for encrypted traffic."),
       keep("wireguardInterfaceName", interface_parameter(),
            "The name of the WireGuard interface."),
       keep("wireguardMTU", mtu(), "The MTU of the WireGuard interface; 0 finds it."),
       keep("bpfEnabled", boolean(), "Use the eBPF data plane."),
       keep("bpfDisableUnprivileged", boolean(), "Forbid unprivileged use of BPF on the node."),
       keep("bpfLogLevel", choice({"Off", "Info", "Debug"}), "How much eBPF programs log."),
       keep("bpfDataIfacePattern", pattern(),
            "The interfaces that carry traffic from and to the node, for eBPF."),
       keep("bpfConnectTimeLoadBalancingEnabled", boolean(),
            "Choose a service's backend when a socket connects."),
       keep("bpfExternalServiceMode", choice({"Tunnel", "DSR"}),
            "How traffic from outside to a service reaches a backend on another node."),
       keep("bpfKubeProxyIptablesCleanupEnabled", boolean(),
            "Remove what kube-proxy left in iptables."),
       keep("bpfKubeProxyMinSyncPeriod", seconds(),
            "The least time between two updates of services, for eBPF."),
       keep("bpfKubeProxyEndpointSlicesEnabled", boolean(),
            "Take backends from EndpointSlices instead of Endpoints."),
       keep("bpfExtToServiceConnmark", integer().between(0, 4294967295),
            "The connection mark of traffic from outside to local services."),
       keep("ipv6Support", boolean(), "Program IPv6 as well as IPv4."),
       keep("iptablesBackend", choice({"Legacy", "NFT", "Auto"}), "Which iptables to use."),
       keep("routeRefreshInterval", seconds(), "How often routes are checked; 0 turns it off."),
       keep("interfaceRefreshInterval", seconds(),
            "How often interfaces are checked; 0 turns it off."),
       keep("deviceRouteSourceAddress", string().check(formats::ipv4_address),
            "The source address of routes to workloads."),
       keep("deviceRouteProtocol", integer().between(0, 255),
            "The protocol number of routes the agent makes."),
       keep("removeExternalRoutes", boolean(), "Remove unexpected routes to workload interfaces."),
       keep("iptablesRefreshInterval", seconds(), "How often iptables is checked; 0 turns it off."),
       keep("iptablesPostWriteCheckInterval", seconds(),
            "How soon after a write iptables is read back."),
       keep("iptablesLockFilePath", string(), "The lock file of iptables."),
       keep("iptablesLockTimeout", seconds(), "How long to wait for the lock; 0 does not take it."),
       keep("iptablesLockProbeInterval", milliseconds(), "How often to try for the lock."),
       keep("featureDetectOverride", string(),
            "Kernel features to assume, as name=true or name=false, by commas."),
       keep("ipsetsRefreshInterval", seconds(), "How often IP sets are checked; 0 turns it off."),
       keep("maxIpsetSize", integer().between(1, 2147483647), "The largest IP set."),
       keep("xdpRefreshInterval", seconds(), "How often XDP programs are checked; 0 turns it off."),
       keep("policySyncPathPrefix", string(),
            "Where the sockets of the policy sync API are made; unset turns it off."),
       keep("netlinkTimeout", seconds(), "How long the kernel may take to answer over netlink."),
       keep("metadataAddr", string(),
            "The address of the metadata server that workloads reach; None turns it off."),
       keep("metadataPort", integer().between(0, 65535), "The port of the metadata server."),
       keep("openstackRegion", string().check(formats::dns_label),
            "The OpenStack region the node is in."),
       keep("interfacePrefix", interface_prefixes(),
            "How the names of workload interfaces begin; several by commas."),
       keep("interfaceExclude", string(),
            "Interfaces the agent leaves alone: names or /patterns/, by commas."),
       keep("chainInsertMode", choice({"Insert", "Append"}),
            "Where in the kernel's chains the agent's own go."),
       keep("defaultEndpointToHostAction", choice({"Drop", "Return", "Accept"}),
            "What becomes of traffic from workloads to their host after policy allowed it."),
       keep("iptablesFilterAllowAction", choice({"Accept", "Return"}),
            "What becomes of allowed packets in the filter table."),
       keep("iptablesMangleAllowAction", choice({"Accept", "Return"}),
            "What becomes of allowed packets in the mangle table."),
       keep("logPrefix", string(), "How lines that the Log action writes begin."),
       keep("logFilePath", string(), "The log file; none turns it off."),
       keep("logSeverityFile", choice({"Debug", "Info", "Warning", "Error", "Fatal"}),
            "The least severe lines in the log file."),
       keep("logSeverityScreen", choice({"Debug", "Info", "Warning", "Error", "Fatal"}),
            "The least severe lines on standard error."),
       keep("logSeveritySys", choice({"Debug", "Info", "Warning", "Error", "Fatal"}),
            "The least severe lines in the system's log."),
       keep("vxlanEnabled", boolean(), "Have a VXLAN interface; unset: as pools need it."),
       keep("vxlanPort", integer().between(1, 65535), "The UDP port of VXLAN."),
       keep("vxlanVNI", integer().between(1, 16777215), "The VXLAN network identifier."),
       keep("vxlanMTU", mtu(), "The MTU of the VXLAN interface; 0 finds it."),
       keep("ipipEnabled", boolean(), "Have an IPIP interface; unset: as pools need it."),
       keep("ipipMTU", mtu(), "The MTU of the IPIP interface; 0 finds it."),
       keep("allowVXLANPacketsFromWorkloads", boolean(), "Let workloads send VXLAN."),
       keep("allowIPIPPacketsFromWorkloads", boolean(), "Let workloads send IPIP."),
       keep("awsSrcDstCheck", choice({"DoNothing", "Enable", "Disable"}),
            "The source and destination check of AWS instances."),
       keep("serviceLoopPrevention", choice({"Drop", "Reject", "Disabled"}),
            "What becomes of packets to service addresses that no service takes."),
       keep("reportingInterval", seconds(),
            "How often the agent reports its status; 0 turns it off."),
       keep("reportingTTL", seconds(), "How long a status report is good for."),
       keep("endpointReportingEnabled", boolean(), "Report the status of endpoints."),
       keep("endpointReportingDelay", seconds(),
            "How long a report of an endpoint's status may wait."),
       keep("iptablesMarkMask", integer().between(1, 4294967295),
            "The bits of packet marks the agent may use."),
       keep("disableConntrackInvalidCheck", boolean(),
            "Let packets through that connection tracking calls invalid."),
       keep("healthEnabled", boolean(), "Serve health checks."),
       keep("healthHost", host(), "The address health checks are served on."),
       keep("healthPort", integer().between(0, 65535), "The port health checks are served on."),
       keep("prometheusMetricsEnabled", boolean(), "Serve metrics."),
       keep("prometheusMetricsHost", host(), "The address metrics are served on."),
       keep("prometheusMetricsPort", integer().between(0, 65535),
            "The port metrics are served on."),
       keep("prometheusGoMetricsEnabled", boolean(), "Serve metrics of the runtime."),
       keep("prometheusProcessMetricsEnabled", boolean(), "Serve metrics of the process."),
       keep("failsafeInboundHostPorts", failsafe_ports(),
            "Ports to the host that policy never closes. An empty list: none."),
       keep("failsafeOutboundHostPorts", failsafe_ports(),
            "Ports from the host that policy never closes. An empty list: none."),
       keep("kubeNodePortRanges", list(calico::port()), "The ports of NodePort services."),
       keep("natPortRange", calico::port(), "The source ports of outgoing NAT."),
       keep("natOutgoingAddress", string().check(formats::ipv4_address),
            "The source address of outgoing NAT; unset: that of the interface."),
       keep("usageReportingEnabled", boolean(),
            "Report version and size anonymously. Margay reports nothing."),
       keep("usageReportingInitialDelay", seconds(), "When the first report is made."),
       keep("usageReportingInterval", seconds(), "How often reports are made."),
       keep("externalNodesList", list(calico::net()),
            "Addresses of tunnel peers that are no nodes of the cluster."),
       keep("debugMemoryProfilePath", string(), "Where memory profiles are written."),
       keep("debugDisableLogDropping", boolean(), "Wait for the log rather than drop lines."),
       keep("debugSimulateCalcGraphHangAfter", seconds(),
            "For tests: stop computing after this time."),
       keep("debugSimulateDataplaneHangAfter", seconds(),
            "For tests: stop programming after this time."),
       keep("routeSource", choice({"WorkloadIPs", "CalicoIPAM"}),
            "What routes between nodes are made from."),
       keep("routeTableRange", route_table_range(), "The routing tables the agent may use."),
       keep("iptablesNATOutgoingInterfaceFilter", interface_parameter(),
            "Only traffic out of this interface is NATed."),
       keep("sidecarAccelerationEnabled", boolean(),
            "Shorten the path between a workload and its sidecar."),
       keep("xdpEnabled", boolean(), "Let XDP drop what untracked policy denies."),
       keep("genericXDPEnabled", boolean(),
            "Allow XDP on interfaces whose driver has no support for it."),
       keep("mtuIfacePattern", pattern(), "The interfaces whose MTU the workloads' follows.")});
}

}  // namespace margay::api::calico
