#pragma once

// The node agent's part: model changes in, deltas for the data plane out.

#include <vector>

#include "base/result.h"
#include "policy/graph.h"
#include "policy/program_state.h"

namespace margay::differential {

class DeltaSource {
 public:
  explicit DeltaSource(const std::string& node) : graph_(node) {}

  // The whole model, in sync. Once.
  base::Result<std::vector<policy::Delta>> start(const policy::Model& model);
  base::Result<std::vector<policy::Delta>> change(const std::vector<policy::ModelChange>& changes);
  // What all deltas so far add up to.
  const policy::ProgramState& program() const { return program_; }

 private:
  base::Result<std::vector<policy::Delta>> flush();

  policy::Graph graph_;
  policy::ProgramState program_;
};

}  // namespace margay::differential
