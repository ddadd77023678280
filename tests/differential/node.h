#pragma once

// The node under test: the policy graph, the program it adds up to, and a data plane that programs
// the kernel of the calling thread's namespace.

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/dataplane.h"
#include "policy/graph.h"
#include "policy/program_state.h"

namespace margay::differential {

inline constexpr const char* k_node = "node-a";

// `invalid` for a data plane that there is no such name for.
base::Result<std::unique_ptr<dataplane::DataPlane>> make_dataplane(const std::string& name);

class Node {
 public:
  // Programs the whole model, in sync, over whatever the kernel has.
  static base::Result<Node> start(const std::string& dataplane, const policy::Model& model);

  base::Result<> change(const std::vector<policy::ModelChange>& changes);
  dataplane::DataPlane& dataplane() { return *dataplane_; }
  // What the deltas so far say, for telling whose mistake a wrong verdict is.
  const policy::ProgramState& program() const { return program_; }

 private:
  explicit Node(std::unique_ptr<dataplane::DataPlane> dataplane)
      : dataplane_(std::move(dataplane)) {}
  base::Result<> flush();

  std::unique_ptr<policy::Graph> graph_ = std::make_unique<policy::Graph>(k_node);
  policy::ProgramState program_;
  std::unique_ptr<dataplane::DataPlane> dataplane_;
};

// Everything in the kernel that a data plane owns, as sorted lines without counters: equal states
// enforce the same.
base::Result<std::vector<std::string>> programmed_state();

// The model as the changes that make it from nothing.
std::vector<policy::ModelChange> changes_of(const policy::Model& model);

}  // namespace margay::differential
