#include "dataplane/linux/filter_chains.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "dataplane/linux/names.h"
#include "dataplane/linux/tier_rules.h"

namespace margay::dataplane::linux_host {
namespace {

// Multicast listener queries and reports, router solicitation, neighbour discovery: the node is
// the workloads' router. Router advertisements (134) are the node's to send, not to hear.
constexpr std::array<uint8_t, 6> k_icmpv6_to_router{130, 131, 132, 133, 135, 136};

std::vector<Match> vxlan_packets(const ChainContext& context) {
  return {protocol_is(policy::k_udp), port_is(Side::destination, context.config.vxlan_port)};
}

// Between nodes: only known ones may send us tunnel packets.
void add_tunnel_input(const ChainContext& context, Encapsulations encapsulations,
                      std::vector<PacketRule>& rules) {
  const auto guard = [&](std::vector<Match> packets, std::string_view set, const char* kind) {
    auto from_node = packets;
    from_node.emplace_back(SetMatch{Side::source, std::string(set)});
    for (auto* matches : {&from_node, &packets})
      matches->push_back(address_is(AddressTypeMatch::Type::local, Side::destination));
    rules.push_back({std::move(from_node), Verdict::accept, fmt::format("{} from a node", kind)});
    rules.push_back({std::move(packets), Verdict::drop, fmt::format("{} from elsewhere", kind)});
  };
  if (encapsulations.ipip && context.family == policy::IPFamily::v4)
    guard({protocol_is(k_ipip)}, k_ipip_hosts, "IPIP");
  if (encapsulations.vxlan) guard(vxlan_packets(context), k_vxlan_hosts, "VXLAN");
}

// The host's own tunnel packets to known nodes: no policy of a host endpoint cuts the nodes'
// overlay.
void add_tunnel_output(const ChainContext& context, Encapsulations encapsulations,
                       PacketChain& chain) {
  const auto allow = [&](std::vector<Match> packets, std::string_view set, const char* kind) {
    packets.emplace_back(SetMatch{Side::destination, std::string(set)});
    packets.push_back(address_is(AddressTypeMatch::Type::local, Side::source));
    chain.rules.push_back({std::move(packets), Verdict::accept, fmt::format("{} to a node", kind)});
  };
  if (encapsulations.ipip && context.family == policy::IPFamily::v4)
    allow({protocol_is(k_ipip)}, k_ipip_hosts, "IPIP");
  if (encapsulations.vxlan) allow(vxlan_packets(context), k_vxlan_hosts, "VXLAN");
}

// What policy allowed; on filter_allow Return the rules of others still see it.
void add_allowed(const ChainContext& context, PacketChain& chain) {
  if (context.config.filter_allow == AllowAction::accept)
    chain.rules.push_back({{has_mark(context.marks.accept)}, Verdict::accept, "Allowed by policy"});
}

// What was for a service that is there has another destination by now.
std::optional<PacketChain> service_block_chain(const ChainContext& context) {
  using Prevention = ServiceLoopPrevention;
  const auto prevention = context.config.service_loop_prevention;
  if (prevention == Prevention::disabled) return std::nullopt;
  PacketChain chain{std::string(k_service_block), {}};
  const Target target = prevention == Prevention::reject ? Verdict::reject : Verdict::drop;
  for (const auto& net : context.config.service_networks)
    if (net.family() == context.family)
      chain.rules.push_back({{NetMatch{Side::destination, net}}, target});
  return chain.rules.empty() ? std::nullopt : std::optional(std::move(chain));
}

PacketChain forward_chain(const ChainContext& context, HostPolicy hosts) {
  PacketChain chain{"cali-FORWARD", {}};
  const auto& marks = context.marks;
  if (hosts.any && !hosts.distrusts_marks) {
    // Of what doNotTrack or preDNAT allowed, the interface that it came in by asks no more.
    chain.rules.push_back({{}, clear_mark(marks.pass)});
  } else {
    add_clear(context, chain);
  }
  if (hosts.any)
    chain.rules.push_back({{lacks_mark(marks.accept)}, jump(k_from_host_forward_dispatch)});
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back({{in_by_any(prefix)}, jump(k_from_workload_dispatch)});
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back({{out_by_any(prefix)}, jump(k_to_workload_dispatch)});
  if (hosts.any) chain.rules.push_back({{}, jump(k_to_host_forward_dispatch)});
  if (service_block_chain(context)) chain.rules.push_back({{}, jump(k_service_block)});
  add_allowed(context, chain);
  if (hosts.any) chain.rules.push_back({{}, set_mark(marks.accept), "Not the host's own"});
  return chain;
}

PacketChain input_chain(const ChainContext& context, Encapsulations encapsulations,
                        HostPolicy hosts) {
  PacketChain chain{"cali-INPUT", {}};
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back({{in_by_any(prefix)}, go_to(k_workload_to_host)});
  add_tunnel_input(context, encapsulations, chain.rules);
  if (!hosts.any) return chain;
  if (hosts.distrusts_marks) add_clear(context, chain);
  add_allowed(context, chain);
  chain.rules.push_back({{lacks_mark(context.marks.accept)}, jump(k_from_host_dispatch)});
  add_allowed(context, chain);
  return chain;
}

// Host processes reach the workloads of their node whatever their policy: health probes.
PacketChain output_chain(const ChainContext& context, Encapsulations encapsulations,
                         HostPolicy hosts) {
  PacketChain chain{"cali-OUTPUT", {}};
  const bool keeps_marks = hosts.untracked && !hosts.distrusts_marks;
  if (keeps_marks) add_allowed(context, chain);
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back({{out_by_any(prefix)}, Verdict::return_to_caller});
  if (!hosts.any) return chain;
  if (!keeps_marks) add_clear(context, chain);
  add_tunnel_output(context, encapsulations, chain);
  // Where services translate, the way out is known behind this only: mangle POSTROUTING.
  std::vector<Match> asked{lacks_mark(context.marks.accept)};
  if (!hosts.without_mangle) asked.emplace_back(FlowMatch::not_translated);
  chain.rules.push_back({std::move(asked), jump(k_to_host_dispatch)});
  add_allowed(context, chain);
  return chain;
}

PacketChain workload_to_host_chain(const ChainContext& context, HostPolicy hosts) {
  PacketChain chain{std::string(k_workload_to_host), {}};
  if (context.family == policy::IPFamily::v6)
    for (const uint8_t type : k_icmpv6_to_router)
      chain.rules.push_back(
          {{protocol_is(policy::k_icmpv6), IcmpMatch{{.type = type}}}, Verdict::accept});
  add_clear(context, chain);
  chain.rules.push_back({{}, jump(k_from_workload_dispatch)});
  const char* comment = "Configured DefaultEndpointToHostAction";
  switch (context.config.endpoint_to_host) {
    case EndpointToHostAction::drop:
      chain.rules.push_back({{}, deny_target(context.config), comment});
      break;
    case EndpointToHostAction::accept:
      chain.rules.push_back({{}, Verdict::accept, comment});
      break;
    case EndpointToHostAction::pass_on:
      if (hosts.for_all) {
        chain.rules.push_back({{}, jump(host_chain(Direction::ingress, false, k_any_interface))});
        add_allowed(context, chain);
      }
      chain.rules.push_back({{}, Verdict::return_to_caller, comment});
      break;
  }
  return chain;
}

}  // namespace

Target deny_target(const Config& config) { return config.reject ? Verdict::reject : Verdict::drop; }

std::vector<PacketChain> filter_chains(const ChainContext& context, Encapsulations encapsulations,
                                       HostPolicy hosts) {
  std::vector<PacketChain> chains{
      forward_chain(context, hosts), input_chain(context, encapsulations, hosts),
      output_chain(context, encapsulations, hosts), workload_to_host_chain(context, hosts)};
  if (auto block = service_block_chain(context)) chains.push_back(*std::move(block));
  return chains;
}

std::vector<PacketChain> raw_chains(const ChainContext& context, HostPolicy hosts) {
  PacketChain chain{"cali-PREROUTING", {}};
  if (hosts.any) add_clear(context, chain);  // of what came in a tunnel, too
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back(
        {{in_by_any(prefix), SpoofedMatch{}}, Verdict::drop, "Source is not the workload's"});
  if (hosts.untracked) chain.rules.push_back({{}, jump(k_untracked)});
  return {chain};
}

}  // namespace margay::dataplane::linux_host
