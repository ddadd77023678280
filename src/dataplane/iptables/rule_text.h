#pragma once

// The rules of linux/packet_rule.h in the words of iptables. Pure.
//
// Ports become multiport, at most 15 slots a rule (a range takes two): a longer list is several
// rules, or where it is negated several matches.

#include <string>
#include <vector>

#include "dataplane/iptables/chain.h"
#include "dataplane/linux/packet_rule.h"

namespace margay::dataplane::iptables {

std::vector<Rule> to_text(const linux_host::PacketRule& rule, policy::IPFamily family);
Chain to_text(const linux_host::PacketChain& chain, policy::IPFamily family);

// Lists for multiport, none longer than it can take: {"80,443,1000:2000", ...}.
std::vector<std::string> multiport_lists(const std::vector<policy::PortRange>& ports);

}  // namespace margay::dataplane::iptables
