#pragma once

// The rules of linux/packet_rule.h as nf_tables' expressions (linux/netfilter/nf_tables.h), and as
// text for people. Pure.
//
// A rule that has no form of its own becomes several, of which a packet matches one at most: more
// than one range of ports; "not translated", of packets with and without a flow.

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "dataplane/linux/packet_rule.h"

namespace margay::dataplane::nftables {

// The content of a rule's NFTA_RULE_EXPRESSIONS.
using Expressions = std::vector<uint8_t>;

// `chain_prefix`: what the names of the layer's chains begin with, beside their own.
std::vector<Expressions> to_expressions(const linux_host::PacketRule& rule, policy::IPFamily family,
                                        const std::string& chain_prefix);

// The rule that leads packets to the chain that a map of interface names says.
Expressions dispatch_expressions(bool comes_in, const std::string& map);

// The names of the sets that the rule looks into.
void add_sets(const linux_host::PacketRule& rule, policy::IPFamily family,
              std::set<std::string>& names);

// In nft's words: "ip saddr @cali40s-x tcp dport 80 drop".
std::string describe(const linux_host::PacketRule& rule, policy::IPFamily family);

}  // namespace margay::dataplane::nftables
