#include "differences.h"

#include <re2/re2.h>

namespace margay::peers {

const std::vector<Difference>& differences() {
  using enum Difference::Side;
  static const std::vector<Difference> k_differences{
      {"`notICMP` without a protocol", we_refuse, "", R"(notICMP: Forbidden)"},
      {"HTTP methods that are no tokens", we_refuse, "",
       R"(http\.methods\[\d+\]: Invalid value: ")"},
      {"service account names that are none", we_refuse, "", R"(serviceAccounts\.names\[\d+\])"},
      {"`global()` that Calico does not see", we_refuse, "", R"(global\(\) can(not| only) be)"},
      {"`global()` in quotes", we_accept, "", R"(global\(\) can(not| only) be)"},
      {"empty text for an address", we_refuse, "",
       R"((nets|ipNetworks)\[\d+\]: Invalid value: "")"},
      {"null in a list", we_refuse, "", R"(\[\d+\]: Invalid value: null)"},
      {"names of more than 253 characters", we_refuse, "",
       R"(Invalid value: "[^"]{254,}": must be a lowercase RFC 1123)"},
      {"lengths with leading zeros", we_refuse, "", R"(Invalid value: "[^"]*/0\d+")"},
      {"IPv4 addresses in IPv6 form", we_refuse, "",
       R"(Invalid value: "::ffff:|IPIP is for IPv4 pools only)"},
      {"IPv4 addresses in IPv6 form", we_accept, "", R"(::ffff:)"},
      {"MAC addresses of other forms", we_refuse, "", R"(must be a MAC address)"},
      {"`*` for one interface", we_refuse, "",
       R"((interfaceName|InterfaceName): Invalid value: "\*")"},
      {"WorkloadEndpoints without a name", we_refuse, "WorkloadEndpoint",
       R"(^metadata(\.name)?: Required value)"},
      {"`ipNATs` without an address", we_refuse, "WorkloadEndpoint",
       R"(ipNATs\[\d+\]\.(in|ex)ternalIP: Required value)"},
      {"`ipip` of an IPPool", we_refuse, "IPPool", R"(^spec\.ipip: Forbidden)"},
      {"VXLAN of IPv6 pools", we_accept, "IPPool",
       R"(VXLANMode other than 'Never' is not supported)"},
      {"addresses and pod CIDRs of a Node", we_refuse, "Node",
       R"(^(spec\.addresses|status\.podCIDRs)\[\d+\])"},
      {"failsafe ports", we_refuse, "FelixConfiguration",
       R"(^spec\.failsafe(In|Out)boundHostPorts)"},
      {"`iptablesBackend: Auto`", we_accept, "FelixConfiguration", R"(IptablesBackend = 'Auto')"},
      {"`logPrefix` of several lines", we_refuse, "FelixConfiguration", R"(^spec\.logPrefix)"},
      {"negative durations", we_refuse, "", R"(Invalid value: "-.*must be a duration)"},
      {"what v3.19's CRDs refuse", we_refuse, "BGPConfiguration",
       R"(^spec\.listenPort: Invalid value: 0:)"},
      {"what v3.19's CRDs refuse", we_refuse, "BGPPeer",
       R"(^spec\.password\.secretKeyRef\.key: Required value)"},
      {"settings that neither Felix nor a kernel takes", we_refuse, "KubeControllersConfiguration",
       R"(^(spec|status\.runningConfig)\.prometheusMetricsPort:)"},
      {"settings that neither Felix nor a kernel takes", we_refuse, "FelixConfiguration",
       R"(^spec\.(chainInsertMode|routeSource|deviceRouteProtocol|healthHost|healthPort|)"
       R"(interfacePrefix|iptablesNATOutgoingInterfaceFilter|ipipMTU|vxlanMTU|wireguardMTU|iptablesMarkMask|maxIpsetSize|)"
       R"(metadataPort|prometheusMetricsPort|vxlanPort|vxlanVNI|natPortRange):)"},
  };
  return k_differences;
}

const Difference* find_difference(Difference::Side side, const std::string& kind,
                                  const std::string& message) {
  for (const auto& difference : differences())
    if (difference.side == side && (difference.kind.empty() || difference.kind == kind) &&
        RE2::PartialMatch(message, difference.pattern))
      return &difference;
  return nullptr;
}

}  // namespace margay::peers
