#pragma once

// ProgramRule -> iptables rules: the compiler proper. Pure.
//
// iptables has no "or" within a rule. What a policy rule may list becomes:
//   nets, notNets     one: -s / -d. Several: a set of their own, named by what is in it, so that
//                     one lookup decides and equal lists share a set. No chain of marks.
//   ports             multiport, at most 15 slots a rule (a range takes two); more slots, or named
//                     ports, are alternatives: one rule each, source x destination.
//   everything else   is "and", and stays in one rule.
// A rule that cannot match in a family (its nets are of the other, an ICMPv4 type in IPv6) emits
// nothing there; the implicit deny below it keeps that closed.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "dataplane/iptables/chain.h"
#include "dataplane/iptables/marks.h"
#include "policy/port_ranges.h"
#include "policy/program.h"

namespace margay::dataplane::iptables {

struct RenderOptions {
  policy::IPFamily family = policy::IPFamily::v4;
  Marks marks;
  std::string log_prefix;
  std::string deny_target = "-j DROP";
};

struct RenderedRules {
  std::vector<Rule> rules;
  // The sets that the rules name beyond those of the program: id -> members of the family.
  std::map<std::string, std::vector<policy::Prefix>> net_sets;
};

RenderedRules render(std::span<const policy::ProgramRule> rules, const RenderOptions& options);

// Lists for multiport, none longer than it can take: {"80,443,1000:2000", ...}.
std::vector<std::string> multiport_lists(const std::vector<policy::PortRange>& ports);

}  // namespace margay::dataplane::iptables
