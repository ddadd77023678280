#pragma once

// Rules and chains as values, and the hash that tells a rule we programmed from any other.

#include <string>
#include <string_view>
#include <vector>

namespace margay::dataplane::iptables {

struct Rule {
  std::string match;    // "-p tcp -m multiport --dports 80"; empty: every packet
  std::string target;   // "-j DROP", "-g cali-wl-to-host"
  std::string comment;  // for people who read iptables-save; may be empty
  bool operator==(const Rule&) const = default;
};

struct Chain {
  std::string name;
  std::vector<Rule> rules;
  // It is made of somebody's rules and jumps nowhere: when the kernel refuses one of them, the
  // chain drops every packet instead, and the rest of the table is none the worse.
  bool stands_alone = false;
  bool operator==(const Chain&) const = default;
};

// Text as one argument in the input of iptables-restore, whatever it says: in quotes, and without
// the control characters that would end the line.
std::string quoted(std::string_view text);

// A rule as it is written to the kernel. `hash` is kept in the rule's first comment as
// "cali:<hash>": 16 characters over the chain's name, every rule before it and the rule itself,
// so equal lists of hashes mean equal chains, across restarts and whatever iptables-save prints.
struct HashedRule {
  std::string hash;
  std::string text;  // match, comments and target, as after "-A <chain> "
};

std::vector<HashedRule> hashed(const Chain& chain);

}  // namespace margay::dataplane::iptables
