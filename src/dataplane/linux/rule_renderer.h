#pragma once

// ProgramRule -> rules for packets: the compiler proper. Pure.
//
// A rule has no "or" within it. What a policy rule may list becomes:
//   nets, notNets     one: a match of it. Several: a set of their own, named by what is in it, so
//                     that one lookup decides and equal lists share a set. No chain of marks.
//   ports             a match of them all; with named ports, alternatives: one rule each, source x
//                     destination.
//   notPorts          a match each, within the rule; if they are many, a rule each: the packets
//   that
//                     the rest of the rule is for are marked, those to one of the ports lose the
//                     mark, and the action is for what still has it. (A rule takes 255 words of
//                     iptables and 128 expressions of nftables.)
//   everything else   is "and", and stays in one rule.
// A rule that cannot match in a family (its nets are of the other, an ICMPv4 type in IPv6) emits
// nothing there; the implicit deny below it keeps that closed.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "dataplane/linux/marks.h"
#include "dataplane/linux/packet_rule.h"
#include "policy/port_ranges.h"
#include "policy/program.h"

namespace margay::dataplane::linux_host {

struct RenderOptions {
  policy::IPFamily family = policy::IPFamily::v4;
  Marks marks;
  std::string log_prefix;
  Target deny_target = Verdict::drop;
};

struct RenderedRules {
  std::vector<PacketRule> rules;
  // The sets that the rules name beyond those of the program: id -> members of the family.
  std::map<std::string, std::vector<policy::Prefix>> net_sets;
};

RenderedRules render(std::span<const policy::ProgramRule> rules, const RenderOptions& options);

}  // namespace margay::dataplane::linux_host
