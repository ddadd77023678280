#include "dataplane/linux/filter_chains.h"
#include "dataplane/linux/names.h"

namespace margay::dataplane::linux_host {
namespace {

using policy::IPFamily;

// How the source is rewritten, for the protocols that have ports and for the rest.
std::vector<PacketRule> source_nat(const ChainContext& context, const std::vector<Match>& matches) {
  const Config& config = context.config;
  const bool to_address = config.nat_outgoing_address && context.family == IPFamily::v4;
  SourceNat target{.random =
                       to_address ? config.fully_random_snat : config.fully_random_masquerade};
  if (to_address) target.address = config.nat_outgoing_address;
  std::vector<PacketRule> rules;
  if (config.nat_ports) {
    auto with_ports = target;
    with_ports.ports = config.nat_ports;
    for (const uint8_t protocol : {policy::k_tcp, policy::k_udp}) {
      std::vector<Match> of_protocol{protocol_is(protocol)};
      of_protocol.insert(of_protocol.end(), matches.begin(), matches.end());
      rules.push_back({std::move(of_protocol), with_ports});
    }
  }
  rules.push_back({matches, target});
  return rules;
}

PacketChain nat_outgoing_chain(const ChainContext& context) {
  std::vector<Match> matches;
  if (std::string filter = context.config.nat_outgoing_interface; !filter.empty()) {
    const bool begins = filter.ends_with('+');
    if (begins) filter.pop_back();
    matches.push_back(begins ? out_by_any(filter) : out_by(filter));
  }
  matches.emplace_back(SetMatch{Side::source, std::string(k_masquerade_pools)});
  matches.emplace_back(
      SetMatch{.side = Side::destination, .id = std::string(k_all_pools), .negated = true});
  return {"cali-nat-outgoing", source_nat(context, matches)};
}

// The node's own packets into the overlay carry the tunnel's address, so that replies come back.
PacketRule tunnel_source_rule(const ChainContext& context) {
  const char* device = context.family == IPFamily::v4 ? "vxlan.calico" : "vxlan-v6.calico";
  return {
      {out_by(device), AddressTypeMatch{.side = Side::source, .negated = true, .of_way_out = true},
       address_is(AddressTypeMatch::Type::local, Side::source)},
      SourceNat{.random = context.config.fully_random_masquerade},
      "From the node into the tunnel"};
}

}  // namespace

std::vector<PacketChain> nat_chains(const ChainContext& context, const FloatingIPs& floating_ips,
                                    Encapsulations encapsulations) {
  PacketChain prerouting{"cali-PREROUTING", {{{}, jump("cali-fip-dnat")}}};
  PacketChain output{"cali-OUTPUT", {{{}, jump("cali-fip-dnat")}}};
  PacketChain postrouting{"cali-POSTROUTING",
                          {{{}, jump("cali-fip-snat")}, {{}, jump("cali-nat-outgoing")}}};
  if (encapsulations.vxlan) postrouting.rules.push_back(tunnel_source_rule(context));

  PacketChain dnat{"cali-fip-dnat", {}}, snat{"cali-fip-snat", {}};
  for (const auto& [internal, external] : floating_ips) {
    if (internal.family() != context.family || external.family() != context.family) continue;
    dnat.rules.push_back(
        {{NetMatch{Side::destination, policy::Prefix(external)}}, DestinationNat{internal}});
    // A workload that reaches itself by its floating address must see replies from it.
    snat.rules.push_back({{NetMatch{Side::source, policy::Prefix(internal)},
                           NetMatch{Side::destination, policy::Prefix(internal)}},
                          SourceNat{.address = external, .random = false}});
  }
  return {prerouting, output, postrouting, nat_outgoing_chain(context), dnat, snat};
}

}  // namespace margay::dataplane::linux_host
