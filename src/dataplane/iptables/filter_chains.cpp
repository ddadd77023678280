#include "dataplane/iptables/filter_chains.h"

#include <fmt/format.h>

#include <array>

#include "dataplane/iptables/names.h"

namespace margay::dataplane::iptables {
namespace {

// Multicast listener queries and reports, router solicitation, neighbour discovery: the node is
// the workloads' router. Router advertisements (134) are the node's to send, not to hear.
constexpr std::array<int, 6> k_icmpv6_to_router{130, 131, 132, 133, 135, 136};

std::string jump(std::string_view chain) { return fmt::format("-j {}", chain); }

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

Chain forward_chain(const ChainContext& context) {
  Chain chain{"cali-FORWARD", {}};
  const uint32_t marks = context.marks.accept | context.marks.pass;
  chain.rules.push_back({"", clear_mark(marks)});
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back({fmt::format("-i {}+", prefix), jump(k_from_workload_dispatch)});
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back({fmt::format("-o {}+", prefix), jump(k_to_workload_dispatch)});
  if (context.config.filter_allow == AllowAction::accept)
    chain.rules.push_back({has_mark(context.marks.accept), "-j ACCEPT", "Allowed by policy"});
  return chain;
}

Chain input_chain(const ChainContext& context, Encapsulations encapsulations) {
  Chain chain{"cali-INPUT", {}};
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back(
        {fmt::format("-i {}+", prefix), fmt::format("-g {}", k_workload_to_host)});
  add_tunnel_input(context, encapsulations, chain.rules);
  return chain;
}

// Host processes reach the workloads of their node whatever their policy: health probes.
Chain output_chain(const ChainContext& context) {
  Chain chain{"cali-OUTPUT", {}};
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back({fmt::format("-o {}+", prefix), "-j RETURN"});
  return chain;
}

Chain workload_to_host_chain(const ChainContext& context) {
  Chain chain{std::string(k_workload_to_host), {}};
  if (context.family == policy::IPFamily::v6)
    for (const int type : k_icmpv6_to_router)
      chain.rules.push_back(
          {fmt::format("-p ipv6-icmp -m icmp6 --icmpv6-type {}", type), "-j ACCEPT"});
  chain.rules.push_back({"", clear_mark(context.marks.accept | context.marks.pass)});
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
      chain.rules.push_back({"", "-j RETURN", comment});
      break;
  }
  return chain;
}

}  // namespace

std::string deny_target(const Config& config) { return config.reject ? "-j REJECT" : "-j DROP"; }

std::vector<Chain> filter_chains(const ChainContext& context, Encapsulations encapsulations) {
  return {forward_chain(context), input_chain(context, encapsulations), output_chain(context),
          workload_to_host_chain(context)};
}

std::vector<Chain> raw_chains(const ChainContext& context) {
  Chain chain{"cali-PREROUTING", {}};
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back({fmt::format("-i {}+ -m rpfilter --validmark --invert", prefix),
                           "-j DROP", "Source is not the workload's"});
  return {chain};
}

Chain insertion(const std::string& hook) { return {hook, {{"", "-j cali-" + hook}}}; }

}  // namespace margay::dataplane::iptables
