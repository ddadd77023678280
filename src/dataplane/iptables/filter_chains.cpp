#include "dataplane/iptables/filter_chains.h"

#include <fmt/format.h>

#include <array>

#include "dataplane/iptables/linux_names.h"
#include "dataplane/iptables/tier_rules.h"

namespace margay::dataplane::iptables {
namespace {

// Multicast listener queries and reports, router solicitation, neighbour discovery: the node is
// the workloads' router. Router advertisements (134) are the node's to send, not to hear.
constexpr std::array<int, 6> k_icmpv6_to_router{130, 131, 132, 133, 135, 136};

// Between nodes: only known ones may send us tunnel packets.
void add_tunnel_input(const ChainContext& context, Encapsulations encapsulations,
                      std::vector<Rule>& rules) {
  const auto guard = [&](const std::string& packets, std::string_view set, const char* kind) {
    rules.push_back({fmt::format("{} -m set --match-set {} src -m addrtype --dst-type LOCAL",
                                 packets, set_name(context.family, set)),
                     "-j ACCEPT", fmt::format("{} from a node", kind)});
    rules.push_back({fmt::format("{} -m addrtype --dst-type LOCAL", packets), "-j DROP",
                     fmt::format("{} from elsewhere", kind)});
  };
  if (encapsulations.ipip && context.family == policy::IPFamily::v4)
    guard("-p 4", k_ipip_hosts, "IPIP");
  if (encapsulations.vxlan)
    guard(fmt::format("-p udp -m multiport --dports {}", context.config.vxlan_port), k_vxlan_hosts,
          "VXLAN");
}

// The host's own tunnel packets to known nodes: no policy of a host endpoint cuts the nodes'
// overlay.
void add_tunnel_output(const ChainContext& context, Encapsulations encapsulations, Chain& chain) {
  const auto allow = [&](const std::string& packets, std::string_view set, const char* kind) {
    chain.rules.push_back({fmt::format("{} -m set --match-set {} dst -m addrtype --src-type LOCAL",
                                       packets, set_name(context.family, set)),
                           "-j ACCEPT", fmt::format("{} to a node", kind)});
  };
  if (encapsulations.ipip && context.family == policy::IPFamily::v4)
    allow("-p 4", k_ipip_hosts, "IPIP");
  if (encapsulations.vxlan)
    allow(fmt::format("-p udp -m multiport --dports {}", context.config.vxlan_port), k_vxlan_hosts,
          "VXLAN");
}

// What policy allowed; on filter_allow Return the rules of others still see it.
void add_allowed(const ChainContext& context, Chain& chain) {
  if (context.config.filter_allow == AllowAction::accept)
    chain.rules.push_back({has_mark(context.marks.accept), "-j ACCEPT", "Allowed by policy"});
}

Chain forward_chain(const ChainContext& context, HostPolicy hosts) {
  Chain chain{"cali-FORWARD", {}};
  const auto& marks = context.marks;
  if (hosts.any) {
    // Of what doNotTrack or preDNAT allowed, the interface that it came in by asks no more.
    chain.rules.push_back({"", clear_mark(marks.pass)});
    chain.rules.push_back({lacks_mark(marks.accept), jump(k_from_host_forward_dispatch)});
  } else {
    add_clear(context, chain);
  }
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back({fmt::format("-i {}+", prefix), jump(k_from_workload_dispatch)});
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back({fmt::format("-o {}+", prefix), jump(k_to_workload_dispatch)});
  if (hosts.any) chain.rules.push_back({"", jump(k_to_host_forward_dispatch)});
  add_allowed(context, chain);
  if (hosts.any) chain.rules.push_back({"", set_mark(marks.accept), "Not the host's own"});
  return chain;
}

Chain input_chain(const ChainContext& context, Encapsulations encapsulations, HostPolicy hosts) {
  Chain chain{"cali-INPUT", {}};
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back(
        {fmt::format("-i {}+", prefix), fmt::format("-g {}", k_workload_to_host)});
  add_tunnel_input(context, encapsulations, chain.rules);
  if (!hosts.any) return chain;
  add_allowed(context, chain);
  chain.rules.push_back({lacks_mark(context.marks.accept), jump(k_from_host_dispatch)});
  add_allowed(context, chain);
  return chain;
}

// Host processes reach the workloads of their node whatever their policy: health probes.
Chain output_chain(const ChainContext& context, Encapsulations encapsulations, HostPolicy hosts) {
  Chain chain{"cali-OUTPUT", {}};
  if (hosts.untracked) add_allowed(context, chain);
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back({fmt::format("-o {}+", prefix), "-j RETURN"});
  if (!hosts.any) return chain;
  if (!hosts.untracked) add_clear(context, chain);
  add_tunnel_output(context, encapsulations, chain);
  // Where services translate, the way out is known behind this only: mangle POSTROUTING.
  chain.rules.push_back({lacks_mark(context.marks.accept) + " -m conntrack ! --ctstate DNAT",
                         jump(k_to_host_dispatch)});
  add_allowed(context, chain);
  return chain;
}

Chain workload_to_host_chain(const ChainContext& context, HostPolicy hosts) {
  Chain chain{std::string(k_workload_to_host), {}};
  if (context.family == policy::IPFamily::v6)
    for (const int type : k_icmpv6_to_router)
      chain.rules.push_back(
          {fmt::format("-p ipv6-icmp -m icmp6 --icmpv6-type {}", type), "-j ACCEPT"});
  add_clear(context, chain);
  chain.rules.push_back({"", jump(k_from_workload_dispatch)});
  const char* comment = "Configured DefaultEndpointToHostAction";
  switch (context.config.endpoint_to_host) {
    case EndpointToHostAction::drop:
      chain.rules.push_back({"", deny_target(context.config), comment});
      break;
    case EndpointToHostAction::accept:
      chain.rules.push_back({"", "-j ACCEPT", comment});
      break;
    case EndpointToHostAction::pass_on:
      if (hosts.for_all) {
        chain.rules.push_back({"", jump(host_chain(Direction::ingress, false, k_any_interface))});
        add_allowed(context, chain);
      }
      chain.rules.push_back({"", "-j RETURN", comment});
      break;
  }
  return chain;
}

}  // namespace

std::string deny_target(const Config& config) { return config.reject ? "-j REJECT" : "-j DROP"; }

std::vector<Chain> filter_chains(const ChainContext& context, Encapsulations encapsulations,
                                 HostPolicy hosts) {
  return {forward_chain(context, hosts), input_chain(context, encapsulations, hosts),
          output_chain(context, encapsulations, hosts), workload_to_host_chain(context, hosts)};
}

std::vector<Chain> raw_chains(const ChainContext& context, HostPolicy hosts) {
  Chain chain{"cali-PREROUTING", {}};
  if (hosts.any) add_clear(context, chain);  // of what came in a tunnel, too
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back({fmt::format("-i {}+ -m rpfilter --validmark --invert", prefix),
                           "-j DROP", "Source is not the workload's"});
  if (hosts.untracked) chain.rules.push_back({"", jump(k_untracked)});
  return {chain};
}

Chain insertion(const std::string& hook) { return {hook, {{"", "-j cali-" + hook}}}; }

}  // namespace margay::dataplane::iptables
