#pragma once

// The program of a node worked out from nothing, by looking at everything: what the graph must
// arrive at by any way. For tests.

#include <string>

#include "policy/program_state.h"
#include "policy/rules_cost.h"

namespace margay::policy {

// `budget`: for the policies of namespaces.
ProgramState reference_program(const Model& model, const std::string& node,
                               const RulesBudget& budget = k_rules_budget);

}  // namespace margay::policy
