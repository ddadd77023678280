#include "dataplane/iptables/host_chains.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/interface_name.h"
#include "dataplane/iptables/linux_names.h"
#include "dataplane/iptables/tier_rules.h"
#include "policy/protocol.h"

namespace margay::dataplane::iptables {
namespace {

using policy::Failsafe;
using policy::ProgramHostEndpoint;
using policy::ProgramTier;
using Tiers = std::vector<ProgramTier>;

constexpr const char* k_drop = "-j DROP";  // the one that raw and mangle have
constexpr auto k_in = Direction::ingress;
constexpr auto k_out = Direction::egress;

bool has_policies(const Tiers& tiers, Direction direction) {
  return std::ranges::any_of(tiers, [direction](const ProgramTier& tier) {
    return !(direction == k_in ? tier.ingress : tier.egress).empty();
  });
}

// The names under which an endpoint has chains.
std::vector<std::string> names_of(const ProgramHostEndpoint& endpoint) {
  std::vector<std::string> names;
  std::ranges::copy_if(endpoint.interfaces, std::back_inserter(names), base::is_interface_name);
  if (endpoint.every_other_interface) names.emplace_back(k_any_interface);
  return names;
}

// ---- failsafes ----------------------------------------------------------------------------------

// `ports`: "--dports" or "--sports"; `remote`: "-s" or "-d", on which side the net is.
void add_failsafes(const ChainContext& context, const std::vector<Failsafe>& failsafes,
                   const char* ports, const char* remote, const std::string& more, Chain& chain) {
  for (const auto& [protocol, net, port] : failsafes) {
    if (net && net->family() != context.family) continue;
    auto match =
        fmt::format("-p {} -m multiport {} {}", policy::protocol_name(protocol), ports, port);
    if (net && net->length() > 0) match += fmt::format(" {} {}", remote, net->to_string());
    chain.rules.push_back({match + more, "-j ACCEPT"});
  }
}

// Without it no failsafe of IPv6 would be reached (RFC 4861). It never leaves a link.
void add_neighbour_discovery(const ChainContext& context, Chain& chain) {
  if (context.family != policy::IPFamily::v6) return;
  for (const int type : {133, 134, 135, 136})
    chain.rules.push_back(
        {fmt::format("-p ipv6-icmp -m icmp6 --icmpv6-type {}", type), "-j ACCEPT"});
}

enum class TableName : uint8_t { raw, mangle, filter };

// Before filter it takes the address to tell what is for the host itself. Where packets are not
// tracked yet, what answers a failsafe's is accepted too, so that no half of a flow goes untracked.
std::vector<Chain> failsafe_chains(const ChainContext& context, TableName table) {
  const auto& [inbound, outbound] = context.config.failsafes;
  std::vector<std::string> for_us{""};
  if (table != TableName::filter) {
    for_us = {" -m addrtype --dst-type LOCAL", " -m addrtype --dst-type MULTICAST"};
    if (context.family == policy::IPFamily::v4)
      for_us.emplace_back(" -m addrtype --dst-type BROADCAST");
  }
  Chain in{std::string(k_failsafe_in), {}}, out{std::string(k_failsafe_out), {}};
  add_neighbour_discovery(context, in);
  add_neighbour_discovery(context, out);
  for (const auto& us : for_us) add_failsafes(context, inbound, "--dports", "-s", us, in);
  add_failsafes(context, outbound, "--dports", "-d", "", out);
  if (table == TableName::raw) {
    for (const auto& us : for_us) add_failsafes(context, outbound, "--sports", "-s", us, in);
    add_failsafes(context, inbound, "--sports", "-d", "", out);
  }
  return {in, out};
}

void add_failsafe_jump(Direction direction, Chain& chain) {
  chain.rules.push_back(
      {"", fmt::format("-j {}", direction == k_in ? k_failsafe_in : k_failsafe_out)});
}

// ---- one endpoint -------------------------------------------------------------------------------

// doNotTrack and preDNAT: what no policy decides goes on.
Chain early_chain(const ChainContext& context, const Tiers& tiers, Direction direction,
                  const std::string& name) {
  Chain chain{host_chain(direction, false, name), {}};
  add_failsafe_jump(direction, chain);
  add_tiers(context, tiers, direction, k_drop, chain);
  return chain;
}

Chain normal_chain(const ChainContext& context, const ProgramHostEndpoint& endpoint,
                   Direction direction, const std::string& name, const std::string& deny) {
  Chain chain{host_chain(direction, false, name), {}};
  add_conntrack(context, chain);
  add_failsafe_jump(direction, chain);
  add_clear(context, chain);
  add_tiers(context, endpoint.normal, direction, deny, chain);
  add_profiles(context, endpoint.endpoint.profiles, direction, deny, chain);
  return chain;
}

// Empty where nothing is for forwarded packets.
Chain forward_chain(const ChainContext& context, const ProgramHostEndpoint& endpoint,
                    Direction direction, const std::string& name) {
  Chain chain{host_chain(direction, true, name), {}};
  if (!has_policies(endpoint.forward, direction)) return chain;
  add_conntrack(context, chain);
  add_clear(context, chain);
  add_tiers(context, endpoint.forward, direction, deny_target(context.config), chain);
  return chain;
}

// ---- from an interface to its chain -------------------------------------------------------------

// Workloads' packets are not the host's.
void add_workload_returns(const ChainContext& context, const char* side, Chain& chain) {
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back({fmt::format("{} {}+", side, prefix), "-j RETURN"});
}

Chain dispatch_chain(const ChainContext& context, std::string_view dispatch, Direction direction,
                     bool forward, const HostEndpoints& endpoints,
                     bool with_the_one_for_all = true) {
  Chain chain{std::string(dispatch), {}};
  const char* side = direction == k_in ? "-i" : "-o";
  if (forward) add_workload_returns(context, side, chain);
  std::vector<std::string> names;
  for (const auto* endpoint : endpoints)
    std::ranges::move(names_of(*endpoint), std::back_inserter(names));
  std::ranges::sort(names);
  for (const auto& name : names)
    if (name != k_any_interface)
      chain.rules.push_back({fmt::format("{} {}", side, name),
                             fmt::format("-g {}", host_chain(direction, forward, name))});
  if (with_the_one_for_all && std::ranges::count(names, std::string(k_any_interface)) > 0)
    chain.rules.push_back(
        {"", fmt::format("-g {}", host_chain(direction, forward, k_any_interface))});
  return chain;
}

// What doNotTrack allows is not tracked, and keeps its mark.
Chain raw_chain(const ChainContext& context, std::string name, Direction direction) {
  Chain chain{std::move(name), {}};
  if (direction == k_out) add_clear(context, chain);
  add_workload_returns(context, direction == k_in ? "-i" : "-o", chain);
  chain.rules.push_back({"", jump(direction == k_in ? k_from_host_dispatch : k_to_host_dispatch)});
  chain.rules.push_back({has_mark(context.marks.accept), "-j CT --notrack"});
  return chain;
}

Chain mangle_prerouting_chain(const ChainContext& context) {
  Chain chain{"cali-PREROUTING", {}};
  chain.rules.push_back({"-m conntrack --ctstate RELATED,ESTABLISHED", "-j RETURN"});
  chain.rules.push_back({has_mark(context.marks.accept), "-j RETURN"});
  add_workload_returns(context, "-i", chain);
  chain.rules.push_back({"", jump(k_from_host_dispatch)});
  return chain;
}

// The host's own packets to services: translated after their way out was chosen, they leave by an
// interface that is known here only. What is forwarded has the mark.
Chain mangle_postrouting_chain(const ChainContext& context) {
  Chain chain{"cali-POSTROUTING", {}};
  chain.rules.push_back({has_mark(context.marks.accept), "-j RETURN"});
  add_workload_returns(context, "-o", chain);
  add_clear(context, chain);
  chain.rules.push_back({"-m conntrack --ctstate DNAT", jump(k_to_host_dispatch)});
  return chain;
}

// `*` takes no part in doNotTrack.
std::vector<Chain> untracked_chains(const ChainContext& context, const HostEndpoints& endpoints) {
  std::vector<Chain> chains = failsafe_chains(context, TableName::raw);
  for (const auto* endpoint : endpoints)
    for (const auto& name : names_of(*endpoint))
      if (name != k_any_interface)
        for (const auto direction : {k_in, k_out})
          chains.push_back(early_chain(context, endpoint->untracked, direction, name));
  chains.push_back(dispatch_chain(context, k_from_host_dispatch, k_in, false, endpoints, false));
  chains.push_back(dispatch_chain(context, k_to_host_dispatch, k_out, false, endpoints, false));
  chains.push_back(raw_chain(context, std::string(k_untracked), k_in));
  chains.push_back(raw_chain(context, "cali-OUTPUT", k_out));
  return chains;
}

}  // namespace

bool has_untracked(const HostEndpoints& endpoints) {
  return std::ranges::any_of(endpoints, [](const ProgramHostEndpoint* endpoint) {
    return has_policies(endpoint->untracked, k_in) || has_policies(endpoint->untracked, k_out);
  });
}

bool has_one_for_all(const HostEndpoints& endpoints) {
  return std::ranges::any_of(endpoints, &ProgramHostEndpoint::every_other_interface);
}

HostChains host_chains(const ChainContext& context, const HostEndpoints& endpoints) {
  HostChains chains;
  if (endpoints.empty()) return chains;
  auto& [raw, mangle, filter] = chains;
  if (has_untracked(endpoints)) raw = untracked_chains(context, endpoints);
  for (const auto* endpoint : endpoints)
    for (const auto& name : names_of(*endpoint)) {
      mangle.push_back(early_chain(context, endpoint->pre_dnat, k_in, name));
      mangle.push_back(normal_chain(context, *endpoint, k_out, name, k_drop));
      for (const auto direction : {k_in, k_out}) {
        filter.push_back(
            normal_chain(context, *endpoint, direction, name, deny_target(context.config)));
        filter.push_back(forward_chain(context, *endpoint, direction, name));
      }
    }
  for (auto* table : {&mangle, &filter}) {
    table->push_back(dispatch_chain(context, k_from_host_dispatch, k_in, false, endpoints));
    table->push_back(dispatch_chain(context, k_to_host_dispatch, k_out, false, endpoints));
  }
  filter.push_back(dispatch_chain(context, k_from_host_forward_dispatch, k_in, true, endpoints));
  filter.push_back(dispatch_chain(context, k_to_host_forward_dispatch, k_out, true, endpoints));
  std::ranges::move(failsafe_chains(context, TableName::mangle), std::back_inserter(mangle));
  std::ranges::move(failsafe_chains(context, TableName::filter), std::back_inserter(filter));
  mangle.push_back(mangle_prerouting_chain(context));
  mangle.push_back(mangle_postrouting_chain(context));
  return chains;
}

}  // namespace margay::dataplane::iptables
