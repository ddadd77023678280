#pragma once

// What a policy's rules cost each node that asks them, and how much of that the policies of one
// namespace may have: who may write policies in a namespace, in a cluster of many, uses up neither
// the kernel's sets (65,534 for all), nor the memory that their selectors and members take, nor the
// time in which a node is brought up to date.
//
// The policies of a namespace have their share in the order of their keys. One that does not fit,
// and those behind it, deny everything that they are asked of: their own namespace's. Where all
// namespaces together have more rules or sets than a node takes, what they may have is divided
// fairly: none is closed that asks for less than any other has. Global policies and profiles are
// the operators', and have no bound.

#include <cstddef>
#include <string>
#include <vector>

#include "policy/compile_rules.h"

namespace margay::policy {

struct RulesCost {
  size_t rules = 0;  // that a data plane makes of them, one for each range of ports at worst
  size_t sets = 0;
  size_t members = 0;    // of the sets; what two endpoints bring into one counts twice
  size_t selectors = 0;  // bytes of the text of the sets' selectors
  size_t tests = 0;      // of endpoints' labels, to find the members
  RulesCost& operator+=(const RulesCost& other);
  bool fits(const RulesCost& share) const;
  bool operator==(const RulesCost&) const = default;
};

struct RulesBudget {
  RulesCost of_a_namespace, of_a_node;  // a node's are rules and sets: the rest is shared
};

// A policy of 65,000 plain rules fits. `iptables-nft-save` reads what a node may have in 20 s; each
// set is one of the kernel's in each family. A namespace's selectors take some 25 MB, and so many
// tests half a second.
inline constexpr RulesBudget k_rules_budget{.of_a_namespace = {.rules = 131'072,
                                                               .sets = 4'096,
                                                               .members = 1'048'576,
                                                               .selectors = 524'288,
                                                               .tests = 33'554'432},
                                            .of_a_node = {.rules = 262'144, .sets = 24'576}};

// The most that each may have of what all have together, if none has more than `most`: a user of
// less keeps all of it, and what is left is divided among the others.
size_t fair_share(std::vector<size_t> uses, size_t most, size_t of_all);

// Without the sets of what selectors match, which policies share (CompiledRules::sets), and without
// what names the policy in the chains of endpoints.
RulesCost cost_of(const CompiledRules& compiled);

// Its two chains: what each takes of iptables' time, measured, is that of eight rules.
inline constexpr size_t k_rules_of_a_policy = 16;
// In the chain of an endpoint, for each direction: the jump to a policy, and the return behind it.
inline constexpr size_t k_rules_of_a_place = 2;

// In the place of rules that have no share.
CompiledRules closed_rules(RulesOf place, const std::string& name);
std::string reason_for_closed();

}  // namespace margay::policy
