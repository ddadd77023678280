// The fields of FelixConfiguration, one line each.

#include <re2/re2.h>

#include <algorithm>

#include "api/calico/common.h"
#include "api/calico/configuration.h"
#include "api/calico/felix_settings.h"
#include "base/interface_name.h"

namespace margay::api::calico {

namespace {

Described<std::string> seconds() {
  return string().keeps_empty().format(k_seconds).check(formats::duration);
}
Described<std::string> milliseconds() {
  return string().keeps_empty().format(k_milliseconds).check(formats::duration);
}
Described<std::string> pattern() { return string().check(formats::regular_expression); }
Described<int64_t> mtu() { return integer().between(0, 65535); }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

Described<std::string> choice(std::vector<std::string> words) {
  return string().one_of(std::move(words));
}

// The same, in any letter case; stored as spelt here.
Described<std::string> choice_in_any_case(std::vector<std::string> words) {
  auto described = string().one_of(words);
  return std::move(described).normalize([words = std::move(words)](json::value& value) {
    for (const auto& word : words)
      if (equal_ignoring_case(value.get_string(), word)) value = word;
  });
}

// It goes into the kernel's rules.
void one_line(const std::string& text, const Report& report) {
  if (std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    report.invalid(text, "must be one line, without control characters");
}

void no_port_name(const IntOrString& port, const Report& report) {
  const auto* text = std::get_if<std::string>(&port);
  if (text != nullptr && text->find(':') == std::string::npos)
    report.invalid(*text, "must be a port number or a range such as 30000:32767, no name");
}

// What iptables takes for one interface, a "+" at the end for many.
Described<std::string> interface_filter() {
  return string().check([](const std::string& text, const Report& report) {
    std::string_view name = text;
    if (name.size() > 1 && name.ends_with('+')) name.remove_suffix(1);
    if (!base::is_interface_name(name))
      report.invalid(text, "must be an interface name, or the beginning of some and '+'");
  });
}

// A name has one character more at least.
bool is_interface_prefix(std::string_view text) {
  return base::is_interface_name(text) && text.size() < base::k_longest_interface_name;
}

Described<std::string> interface_prefixes() {
  return string().check([](const std::string& text, const Report& report) {
    std::string_view rest = text;
    for (;;) {
      const std::string_view word = rest.substr(0, rest.find(','));
      if (!is_interface_prefix(word)) {
        report.invalid(text,
                       "must be prefixes, by commas, of 1 to 14 letters, digits, '_', '.' or '-', "
                       "not beginning with '-'");
        return;
      }
      if (word.size() == rest.size()) return;
      rest.remove_prefix(word.size() + 1);
    }
  });
}

// Not looked up here: what no resolver knows is for the agent to say.
Described<std::string> host() {
  return string().check([](const std::string& text, const Report& report) {
    static const RE2 k_host("[a-zA-Z0-9:._+-]{1,64}");
    if (!RE2::FullMatch(text, k_host))
      report.invalid(text, "must be an address or a host name of at most 64 characters");
  });
}

// "name=value" by commas; empty entries count for nothing.
Described<std::string> key_values() {
  return string().check([](const std::string& text, const Report& report) {
    static const RE2 k_pair("\\w=");
    std::string_view rest = text;
    if (rest.find_first_not_of(" \t\r\n") == std::string_view::npos) return;
    while (!rest.empty()) {
      const std::string_view pair = rest.substr(0, rest.find(','));
      if (!pair.empty() && !RE2::PartialMatch({pair.data(), pair.size()}, k_pair)) {
        report.invalid(text, "must be name=value, by commas");
        return;
      }
      rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    }
  });
}

// Felix makes a namespace name of it: openstack-region-<region>.
void check_region(const std::string& text, const Report& report) {
  constexpr size_t k_limit = 63 - std::string_view("openstack-region-").size();
  formats::dns_label(text, report);
  if (text.size() > k_limit) report.too_long(json::value(text), k_limit);
}

// One rule of iptables' multiport match takes 15 ports, and a range counts as two.
void check_node_ports(const std::vector<IntOrString>& ports, const Report& report) {
  constexpr size_t k_limit = 7;
  if (ports.size() > k_limit) report.invalid(ports.size(), "may not have more than 7 entries");
  for (size_t i = 0; i < ports.size(); ++i) no_port_name(ports[i], report.item(i));
}

void check_ipv4_net(const std::string& text, const Report& report) {
  const auto prefix = base::Prefix::parse(text);
  if (!prefix || prefix->family() != base::IPFamily::v4)
    report.invalid(text, "must be an IPv4 address or CIDR");
}

void check_failsafe_protocol(const std::string& text, const Report& report) {
  static const std::vector<std::string> k_protocols{"TCP", "UDP", "SCTP"};
  if (!std::ranges::any_of(k_protocols,
                           [&](const auto& one) { return equal_ignoring_case(one, text); }))
    report.not_supported(json::value(text), k_protocols);
}

Described<std::vector<json::value>> failsafe_ports() {
  return list(object("projectcalico.org.v3.ProtoPort", "A port, of one protocol, of one network.",
                     {keep("protocol", string().keeps_empty().check(check_failsafe_protocol),
                           "TCP (the default), UDP or SCTP."),
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
       keep("wireguardRoutingRulePriority", integer().between(1, 32765),
            "The priority of the routing rule for encrypted traffic."),
       keep("wireguardInterfaceName", string().check(formats::interface_name),
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
       keep("iptablesLockTimeout", seconds(), "How long to wait for the lock; 0: 10 seconds."),
       keep("iptablesLockProbeInterval", milliseconds(), "How often to try for the lock."),
       keep("featureDetectOverride", key_values(),
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
       keep("openstackRegion", string().check(check_region),
            "The OpenStack region the node is in."),
       keep("interfacePrefix", interface_prefixes(),
            "How the names of workload interfaces begin; several by commas."),
       keep("interfaceExclude", string(),
            "Interfaces the agent leaves alone: names or /patterns/, by commas."),
       keep("chainInsertMode", choice_in_any_case({"Insert", "Append"}),
            "Where in the kernel's chains the agent's own go."),
       keep("defaultEndpointToHostAction", choice({"Drop", "Return", "Accept"}),
            "What becomes of traffic from workloads to their host after policy allowed it."),
       keep("iptablesFilterAllowAction", choice({"Accept", "Return"}),
            "What becomes of allowed packets in the filter table."),
       keep("iptablesMangleAllowAction", choice({"Accept", "Return"}),
            "What becomes of allowed packets in the mangle table."),
       keep("logPrefix", string().check(one_line), "How lines that the Log action writes begin."),
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
       keep("floatingIPs", choice({"Enabled", "Disabled"}),
            "Obey pods' annotations of floating IPs: whoever may write them takes any address.")
           .beyond_v3_19(),
       keep("awsSrcDstCheck", choice({"DoNothing", "Enable", "Disable"}).keeps_empty(),
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
       keep("kubeNodePortRanges", list(calico::port()).check(check_node_ports),
            "The ports of NodePort services, at most seven entries."),
       keep("natPortRange", calico::port().check(no_port_name),
            "The source ports of outgoing NAT."),
       keep("natOutgoingAddress", string().check(formats::ipv4_address),
            "The source address of outgoing NAT; unset: that of the interface."),
       keep("usageReportingEnabled", boolean(),
            "Report version and size anonymously. Margay reports nothing."),
       keep("usageReportingInitialDelay", seconds(), "When the first report is made."),
       keep("usageReportingInterval", seconds(), "How often reports are made."),
       keep("externalNodesList", list(string().check(check_ipv4_net)),
            "Addresses of tunnel peers that are no nodes of the cluster."),
       keep("debugMemoryProfilePath", string(), "Where memory profiles are written."),
       keep("debugDisableLogDropping", boolean(), "Wait for the log rather than drop lines."),
       keep("debugSimulateCalcGraphHangAfter", seconds(),
            "For tests: stop computing after this time."),
       keep("debugSimulateDataplaneHangAfter", seconds(),
            "For tests: stop programming after this time."),
       keep("routeSource", choice_in_any_case({"WorkloadIPs", "CalicoIPAM"}),
            "What routes between nodes are made from."),
       keep("routeTableRange", route_table_range(), "The routing tables the agent may use."),
       keep("iptablesNATOutgoingInterfaceFilter", interface_filter(),
            "Only traffic out of this interface is NATed."),
       keep("sidecarAccelerationEnabled", boolean(),
            "Shorten the path between a workload and its sidecar."),
       keep("xdpEnabled", boolean(), "Let XDP drop what untracked policy denies."),
       keep("genericXDPEnabled", boolean(),
            "Allow XDP on interfaces whose driver has no support for it."),
       keep("mtuIfacePattern", pattern(), "The interfaces whose MTU the workloads' follows.")});
}

}  // namespace margay::api::calico
