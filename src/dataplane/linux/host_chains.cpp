#include "dataplane/linux/host_chains.h"

#include <algorithm>
#include <array>

#include "base/interface_name.h"
#include "dataplane/linux/names.h"
#include "dataplane/linux/tier_rules.h"
#include "policy/protocol.h"

namespace margay::dataplane::linux_host {
namespace {

using policy::Failsafe;
using policy::ProgramHostEndpoint;
using policy::ProgramTier;
using Tiers = std::vector<ProgramTier>;

const Target k_drop = Verdict::drop;  // the one that raw and mangle have
constexpr std::array<uint8_t, 4> k_neighbour_discovery{133, 134, 135, 136};  // ICMPv6 types
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

// `ports`: whose port it is; `remote`: on which side the net is.
void add_failsafes(const ChainContext& context, const std::vector<Failsafe>& failsafes, Side ports,
                   Side remote, const std::vector<Match>& more, PacketChain& chain) {
  for (const auto& [protocol, net, port] : failsafes) {
    if (net && net->family() != context.family) continue;
    std::vector<Match> matches{protocol_is(protocol), port_is(ports, port)};
    if (net && net->length() > 0) matches.emplace_back(NetMatch{remote, *net});
    matches.insert(matches.end(), more.begin(), more.end());
    chain.rules.push_back({std::move(matches), Verdict::accept});
  }
}

// Without it no failsafe of IPv6 would be reached (RFC 4861). It never leaves a link.
void add_neighbour_discovery(const ChainContext& context, PacketChain& chain) {
  if (context.family != policy::IPFamily::v6) return;
  for (const uint8_t type : k_neighbour_discovery)
    chain.rules.push_back(
        {{protocol_is(policy::k_icmpv6), IcmpMatch{{.type = type}}}, Verdict::accept});
}

// Before filter it takes the address to tell what is for the host itself. Where packets are not
// tracked yet, what answers a failsafe's is accepted too, so that no half of a flow goes untracked.
std::vector<PacketChain> failsafe_chains(const ChainContext& context, Layer layer) {
  const auto& [inbound, outbound] = context.config.failsafes;
  std::vector<std::vector<Match>> for_us{{}};
  if (layer != Layer::filter) {
    using Type = AddressTypeMatch::Type;
    for_us = {{address_is(Type::local, Side::destination)},
              {address_is(Type::multicast, Side::destination)}};
    if (context.family == policy::IPFamily::v4)
      for_us.push_back({address_is(Type::broadcast, Side::destination)});
  }
  PacketChain in{std::string(k_failsafe_in), {}}, out{std::string(k_failsafe_out), {}};
  add_neighbour_discovery(context, in);
  add_neighbour_discovery(context, out);
  for (const auto& us : for_us)
    add_failsafes(context, inbound, Side::destination, Side::source, us, in);
  add_failsafes(context, outbound, Side::destination, Side::destination, {}, out);
  if (layer == Layer::raw) {
    for (const auto& us : for_us)
      add_failsafes(context, outbound, Side::source, Side::source, us, in);
    add_failsafes(context, inbound, Side::source, Side::destination, {}, out);
  }
  return {in, out};
}

void add_failsafe_jump(Direction direction, PacketChain& chain) {
  chain.rules.push_back({{}, jump(direction == k_in ? k_failsafe_in : k_failsafe_out)});
}

// ---- one endpoint -------------------------------------------------------------------------------

// doNotTrack and preDNAT: what no policy decides goes on.
PacketChain early_chain(const ChainContext& context, const Tiers& tiers, Direction direction,
                        const std::string& name) {
  PacketChain chain{host_chain(direction, false, name), {}};
  add_failsafe_jump(direction, chain);
  add_tiers(context, tiers, direction, k_drop, chain);
  return chain;
}

// Whether an earlier stage has policies that nothing asks.
bool is_unasked(const ProgramHostEndpoint& endpoint, Direction direction,
                const std::set<Layer>& unwritten) {
  return (unwritten.contains(Layer::raw) && has_policies(endpoint.untracked, direction)) ||
         (unwritten.contains(Layer::mangle) && has_policies(endpoint.pre_dnat, direction));
}

PacketChain normal_chain(const ChainContext& context, const ProgramHostEndpoint& endpoint,
                         Direction direction, const std::string& name, const Target& deny,
                         bool closed) {
  PacketChain chain{host_chain(direction, false, name), {}};
  add_conntrack(context, chain);
  add_failsafe_jump(direction, chain);
  if (closed) {
    chain.rules.push_back({{}, deny, "An earlier stage is not programmed"});
    return chain;
  }
  add_clear(context, chain);
  add_tiers(context, endpoint.normal, direction, deny, chain);
  add_profiles(context, endpoint.endpoint.profiles, direction, deny, chain);
  return chain;
}

// Empty where nothing is for forwarded packets.
PacketChain forward_chain(const ChainContext& context, const ProgramHostEndpoint& endpoint,
                          Direction direction, const std::string& name, bool closed) {
  PacketChain chain{host_chain(direction, true, name), {}};
  if (!closed && !has_policies(endpoint.forward, direction)) return chain;
  add_conntrack(context, chain);
  if (closed) {
    chain.rules.push_back({{}, deny_target(context.config), "An earlier stage is not programmed"});
    return chain;
  }
  add_clear(context, chain);
  add_tiers(context, endpoint.forward, direction, deny_target(context.config), chain);
  return chain;
}

// ---- from an interface to its chain -------------------------------------------------------------

// Workloads' packets are not the host's.
void add_workload_returns(const ChainContext& context, Direction direction, PacketChain& chain) {
  for (const auto& prefix : context.config.interface_prefixes)
    chain.rules.push_back(
        {{InterfaceMatch{direction == k_in, prefix, true}}, Verdict::return_to_caller});
}

PacketChain dispatch_chain(const ChainContext& context, std::string_view dispatch,
                           Direction direction, bool forward, const HostEndpoints& endpoints,
                           bool with_the_one_for_all = true) {
  PacketChain chain{std::string(dispatch), {}};
  if (forward) add_workload_returns(context, direction, chain);
  std::vector<std::string> names;
  for (const auto* endpoint : endpoints)
    std::ranges::move(names_of(*endpoint), std::back_inserter(names));
  std::ranges::sort(names);
  for (const auto& name : names)
    if (name != k_any_interface)
      chain.rules.push_back(
          {{InterfaceMatch{direction == k_in, name}}, go_to(host_chain(direction, forward, name))});
  if (with_the_one_for_all && std::ranges::count(names, std::string(k_any_interface)) > 0)
    chain.rules.push_back({{}, go_to(host_chain(direction, forward, k_any_interface))});
  return chain;
}

// What doNotTrack allows is not tracked, and keeps its mark.
PacketChain raw_chain(const ChainContext& context, std::string name, Direction direction) {
  PacketChain chain{std::move(name), {}};
  if (direction == k_out) add_clear(context, chain);
  add_workload_returns(context, direction, chain);
  chain.rules.push_back({{}, jump(direction == k_in ? k_from_host_dispatch : k_to_host_dispatch)});
  chain.rules.push_back({{has_mark(context.marks.accept)}, Verdict::no_track});
  return chain;
}

// What is allowed, by itself or since others have allowed it, passes by the rules of others in
// mangle unless mangle_allow says Return.
PacketChain mangle_prerouting_chain(const ChainContext& context, const std::set<Layer>& unwritten) {
  PacketChain chain{"cali-PREROUTING", {}};
  const Verdict allow = context.config.mangle_allow == AllowAction::accept
                            ? Verdict::accept
                            : Verdict::return_to_caller;
  const PacketRule allowed{{has_mark(context.marks.accept)}, allow, "Allowed by policy"};
  chain.rules.push_back({{FlowMatch::established}, allow});
  if (unwritten.contains(Layer::raw))
    add_clear(context, chain);  // what raw marks is of an older state
  else
    chain.rules.push_back(allowed);
  add_workload_returns(context, k_in, chain);
  chain.rules.push_back({{}, jump(k_from_host_dispatch)});
  chain.rules.push_back(allowed);
  return chain;
}

// The host's own packets to services: translated after their way out was chosen, they leave by an
// interface that is known here only. What is forwarded has the mark.
PacketChain mangle_postrouting_chain(const ChainContext& context) {
  PacketChain chain{"cali-POSTROUTING", {}};
  chain.rules.push_back({{has_mark(context.marks.accept)}, Verdict::return_to_caller});
  add_workload_returns(context, k_out, chain);
  add_clear(context, chain);
  chain.rules.push_back({{FlowMatch::translated}, jump(k_to_host_dispatch)});
  return chain;
}

// `*` takes no part in doNotTrack.
std::vector<PacketChain> untracked_chains(const ChainContext& context,
                                          const HostEndpoints& endpoints) {
  std::vector<PacketChain> chains = failsafe_chains(context, Layer::raw);
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

HostChains host_chains(const ChainContext& context, const HostEndpoints& endpoints,
                       const std::set<Layer>& unwritten) {
  HostChains chains;
  if (endpoints.empty()) return chains;
  auto& [raw, mangle, filter] = chains;
  if (has_untracked(endpoints)) raw = untracked_chains(context, endpoints);
  for (const auto* endpoint : endpoints)
    for (const auto& name : names_of(*endpoint)) {
      mangle.push_back(early_chain(context, endpoint->pre_dnat, k_in, name));
      mangle.push_back(normal_chain(context, *endpoint, k_out, name, k_drop, false));
      for (const auto direction : {k_in, k_out}) {
        const bool closed = is_unasked(*endpoint, direction, unwritten);
        filter.push_back(
            normal_chain(context, *endpoint, direction, name, deny_target(context.config), closed));
        filter.push_back(forward_chain(context, *endpoint, direction, name, closed));
      }
    }
  for (auto* table : {&mangle, &filter}) {
    table->push_back(dispatch_chain(context, k_from_host_dispatch, k_in, false, endpoints));
    table->push_back(dispatch_chain(context, k_to_host_dispatch, k_out, false, endpoints));
  }
  filter.push_back(dispatch_chain(context, k_from_host_forward_dispatch, k_in, true, endpoints));
  filter.push_back(dispatch_chain(context, k_to_host_forward_dispatch, k_out, true, endpoints));
  std::ranges::move(failsafe_chains(context, Layer::mangle), std::back_inserter(mangle));
  std::ranges::move(failsafe_chains(context, Layer::filter), std::back_inserter(filter));
  mangle.push_back(mangle_prerouting_chain(context, unwritten));
  mangle.push_back(mangle_postrouting_chain(context));
  return chains;
}

}  // namespace margay::dataplane::linux_host
