#include "dataplane/linux/filter_chains.h"
#include "dataplane/linux/names.h"
#include "dataplane/linux/tier_rules.h"

namespace margay::dataplane::linux_host {
namespace {

using policy::Direction;
using policy::ProgramWorkload;

// A workload that could send tunnel packets could speak for any other.
void add_tunnel_drops(const ChainContext& context, PacketChain& chain) {
  if (!context.config.allow_vxlan_from_workloads)
    chain.rules.push_back(
        {{protocol_is(policy::k_udp), port_is(Side::destination, context.config.vxlan_port)},
         Verdict::drop,
         "VXLAN from a workload"});
  if (!context.config.allow_ipip_from_workloads)
    chain.rules.push_back({{protocol_is(k_ipip)}, Verdict::drop, "IPIP from a workload"});
}

PacketChain endpoint_chain(const ChainContext& context, const ProgramWorkload& workload,
                           Direction direction) {
  const auto& endpoint = workload.endpoint;
  PacketChain chain;
  chain.name = direction == Direction::ingress ? to_workload_chain(endpoint.interface_name)
                                               : from_workload_chain(endpoint.interface_name);
  if (!endpoint.admin_up) {
    chain.rules.push_back({{}, Verdict::drop, "Administratively down"});
    return chain;
  }
  add_conntrack(context, chain);
  add_clear(context, chain);
  if (direction == Direction::egress) add_tunnel_drops(context, chain);
  const auto deny = deny_target(context.config);
  add_tiers(context, workload.tiers, direction, deny, chain);
  add_profiles(context, endpoint.profiles, direction, deny, chain);
  return chain;
}

}  // namespace

std::vector<PacketChain> endpoint_chains(const ChainContext& context,
                                         const ProgramWorkload& workload) {
  return {endpoint_chain(context, workload, Direction::ingress),
          endpoint_chain(context, workload, Direction::egress)};
}

std::vector<PacketChain> closed_endpoint_chains(const ProgramWorkload& workload) {
  const std::vector<PacketRule> drop{{{}, Verdict::drop, "Its policy could not be programmed"}};
  return {{to_workload_chain(workload.endpoint.interface_name), drop},
          {from_workload_chain(workload.endpoint.interface_name), drop}};
}

}  // namespace margay::dataplane::linux_host
