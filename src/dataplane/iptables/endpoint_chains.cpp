#include <fmt/format.h>

#include "dataplane/iptables/filter_chains.h"
#include "dataplane/iptables/names.h"

namespace margay::dataplane::iptables {
namespace {

using policy::Direction;
using policy::ProgramTier;
using policy::ProgramWorkload;

void add_conntrack(const ChainContext& context, Chain& chain) {
  chain.rules.push_back({"-m conntrack --ctstate RELATED,ESTABLISHED", "-j ACCEPT"});
  if (context.config.drop_invalid)
    chain.rules.push_back({"-m conntrack --ctstate INVALID", "-j DROP"});
}

// A workload that could send tunnel packets could speak for any other.
void add_tunnel_drops(const ChainContext& context, Chain& chain) {
  if (!context.config.allow_vxlan_from_workloads)
    chain.rules.push_back(
        {fmt::format("-p udp -m multiport --dports {}", context.config.vxlan_port), "-j DROP",
         "VXLAN from a workload"});
  if (!context.config.allow_ipip_from_workloads)
    chain.rules.push_back({"-p 4", "-j DROP", "IPIP from a workload"});
}

void add_tier(const ChainContext& context, const ProgramTier& tier, Direction direction,
              Chain& chain) {
  const auto& policies = direction == Direction::ingress ? tier.ingress : tier.egress;
  if (policies.empty()) return;
  const auto& marks = context.marks;
  chain.rules.push_back({"", clear_mark(marks.pass), "Start of tier " + tier.name});
  for (const auto& key : policies) {
    chain.rules.push_back({lacks_mark(marks.pass),
                           fmt::format("-j {}", policy_chain(direction, key)),
                           "Policy " + key.id()});
    chain.rules.push_back({has_mark(marks.accept), "-j RETURN"});
  }
  if (tier.default_action == policy::Action::deny)
    chain.rules.push_back(
        {lacks_mark(marks.pass), deny_target(context.config), "End of tier " + tier.name});
}

void add_profiles(const ChainContext& context, const ProgramWorkload& workload, Direction direction,
                  Chain& chain) {
  for (const auto& profile : workload.endpoint.profiles) {
    chain.rules.push_back(
        {"", fmt::format("-j {}", profile_chain(direction, profile)), "Profile " + profile});
    chain.rules.push_back({has_mark(context.marks.accept), "-j RETURN"});
  }
  chain.rules.push_back({"", deny_target(context.config), "No profile matched"});
}

Chain endpoint_chain(const ChainContext& context, const ProgramWorkload& workload,
                     Direction direction) {
  const auto& endpoint = workload.endpoint;
  Chain chain;
  chain.name = direction == Direction::ingress ? to_workload_chain(endpoint.interface_name)
                                               : from_workload_chain(endpoint.interface_name);
  if (!endpoint.admin_up) {
    chain.rules.push_back({"", "-j DROP", "Administratively down"});
    return chain;
  }
  add_conntrack(context, chain);
  chain.rules.push_back({"", clear_mark(context.marks.accept | context.marks.pass)});
  if (direction == Direction::egress) add_tunnel_drops(context, chain);
  for (const auto& tier : workload.tiers) add_tier(context, tier, direction, chain);
  add_profiles(context, workload, direction, chain);
  return chain;
}

}  // namespace

std::vector<Chain> endpoint_chains(const ChainContext& context, const ProgramWorkload& workload) {
  return {endpoint_chain(context, workload, Direction::ingress),
          endpoint_chain(context, workload, Direction::egress)};
}

std::vector<Chain> closed_endpoint_chains(const ProgramWorkload& workload) {
  const std::vector<Rule> drop{{"", "-j DROP", "Its policy could not be programmed"}};
  return {{to_workload_chain(workload.endpoint.interface_name), drop},
          {from_workload_chain(workload.endpoint.interface_name), drop}};
}

}  // namespace margay::dataplane::iptables
