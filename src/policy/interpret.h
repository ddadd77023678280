#pragma once

// The program interpreter: what a data plane that obeys a program to the letter does with a packet.
// It knows nothing of models and selectors, so that comparing it with the evaluator checks the
// graph, and comparing a data plane with it checks that data plane's compiler alone.

#include <optional>

#include "policy/evaluate.h"
#include "policy/program_state.h"
#include "policy/stage.h"

namespace margay::policy {

// The verdict of one workload in one direction for the first packet of a flow. The workload and
// everything its program refers to must be in the state.
Verdict interpret(const ProgramState& state, const WorkloadKey& workload, Direction direction,
                  const Packet& packet);

// What one host endpoint decides at one stage in one direction, failsafes aside; nothing when the
// stage leaves the packet to what comes after it.
std::optional<Verdict> interpret(const ProgramState& state, const HostEndpointKey& endpoint,
                                 Stage stage, Direction direction, const Packet& packet);

// Does one rule match? Sets it names must be in the state.
bool matches(const ProgramState& state, const ProgramRule& rule, const Packet& packet);

}  // namespace margay::policy
