#include <fmt/format.h>

#include "dataplane/iptables/filter_chains.h"
#include "dataplane/iptables/linux_names.h"

namespace margay::dataplane::iptables {
namespace {

using policy::IPFamily;

// How the source is rewritten, for the protocols that have ports and for the rest.
std::vector<Rule> source_nat(const ChainContext& context, const std::string& match) {
  const Config& config = context.config;
  const bool to_address = config.nat_outgoing_address && context.family == IPFamily::v4;
  const std::string target = to_address
                                 ? "-j SNAT --to-source " + config.nat_outgoing_address->to_string()
                                 : std::string("-j MASQUERADE");
  std::vector<Rule> rules;
  if (config.nat_ports) {
    const std::string range = fmt::format("{}-{}", config.nat_ports->first, config.nat_ports->last);
    const std::string with_ports =
        to_address ? target + ":" + range : target + " --to-ports " + range;
    for (const char* protocol : {"tcp", "udp"})
      rules.push_back({fmt::format("-p {} {}", protocol, match), with_ports + " --random-fully"});
  }
  rules.push_back({match, target + " --random-fully"});
  return rules;
}

Chain nat_outgoing_chain(const ChainContext& context) {
  std::string match = fmt::format("-m set --match-set {} src -m set ! --match-set {} dst",
                                  set_name(context.family, k_masquerade_pools),
                                  set_name(context.family, k_all_pools));
  if (!context.config.nat_outgoing_interface.empty())
    match = fmt::format("-o {} {}", context.config.nat_outgoing_interface, match);
  return {"cali-nat-outgoing", source_nat(context, match)};
}

// The node's own packets into the overlay carry the tunnel's address, so that replies come back.
Rule tunnel_source_rule(const ChainContext& context) {
  const char* device = context.family == IPFamily::v4 ? "vxlan.calico" : "vxlan-v6.calico";
  return {fmt::format("-o {} -m addrtype ! --src-type LOCAL --limit-iface-out "
                      "-m addrtype --src-type LOCAL",
                      device),
          "-j MASQUERADE --random-fully", "From the node into the tunnel"};
}

}  // namespace

std::vector<Chain> nat_chains(const ChainContext& context, const FloatingIPs& floating_ips,
                              Encapsulations encapsulations) {
  Chain prerouting{"cali-PREROUTING", {{"", "-j cali-fip-dnat"}}};
  Chain output{"cali-OUTPUT", {{"", "-j cali-fip-dnat"}}};
  Chain postrouting{"cali-POSTROUTING", {{"", "-j cali-fip-snat"}, {"", "-j cali-nat-outgoing"}}};
  if (encapsulations.vxlan) postrouting.rules.push_back(tunnel_source_rule(context));

  Chain dnat{"cali-fip-dnat", {}}, snat{"cali-fip-snat", {}};
  for (const auto& [internal, external] : floating_ips) {
    if (internal.family() != context.family || external.family() != context.family) continue;
    dnat.rules.push_back(
        {"-d " + external.to_string(), "-j DNAT --to-destination " + internal.to_string()});
    // A workload that reaches itself by its floating address must see replies from it.
    snat.rules.push_back({fmt::format("-s {0} -d {0}", internal.to_string()),
                          "-j SNAT --to-source " + external.to_string()});
  }
  return {prerouting, output, postrouting, nat_outgoing_chain(context), dnat, snat};
}

}  // namespace margay::dataplane::iptables
