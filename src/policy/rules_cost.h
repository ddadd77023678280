#pragma once

// What a policy's rules cost each node that asks them, and how much of that the policies of one
// namespace may have: who may write policies in a namespace, in a cluster of many, uses up neither
// the kernel's sets (65,534 for all) nor the time in which a node is brought up to date.
//
// The policies of a namespace have their share in the order of their keys. One that does not fit,
// and those behind it, deny everything that they are asked of: their own namespace's. Global
// policies and profiles are the operators', and have no bound.

#include <cstddef>
#include <string>

#include "policy/compile_rules.h"

namespace margay::policy {

struct RulesCost {
  size_t rules = 0;  // that a data plane makes of them, whose rules list at most 15 ports of a side
  size_t sets = 0;
  bool operator==(const RulesCost&) const = default;
};

inline constexpr RulesCost k_share_of_a_namespace{.rules = 65'536, .sets = 4'096};

RulesCost cost_of(const CompiledRules& compiled);

// In the place of rules that have no share.
CompiledRules closed_rules(RulesOf place, const std::string& name);
std::string reason_for_closed();

}  // namespace margay::policy
