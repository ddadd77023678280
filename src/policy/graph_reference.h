#pragma once

// The program of a node worked out from nothing, by looking at everything: what the graph must
// arrive at by any way. For tests.

#include <string>

#include "policy/program_state.h"

namespace margay::policy {

ProgramState reference_program(const Model& model, const std::string& node);

}  // namespace margay::policy
