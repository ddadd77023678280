#pragma once

// Runs a data plane: its one control thread. Deltas go in from the agent's loop; the enforcer
// applies them, tries again with back-off what failed, looks over what is programmed at intervals,
// and tells the data plane which interfaces come and go.
//
// Whatever fails stays pending and as closed as it was; readiness is lost until it is mended.

#include <chrono>
#include <memory>
#include <vector>

#include "base/result.h"
#include "dataplane/dataplane.h"
#include "node/agent_metrics.h"
#include "node/health.h"
#include "policy/program.h"

namespace margay::node {

class Enforcer {
 public:
  // The name under which it reports to Health.
  static constexpr const char* k_health_part = "data plane";

  // `refresh`: how often everything is read back and repaired; 0: never.
  Enforcer(std::unique_ptr<dataplane::DataPlane> data_plane, std::chrono::milliseconds refresh,
           Health& health, AgentMetrics& metrics);
  // Stops the thread. What is programmed stays: a restart must cut nothing.
  ~Enforcer();

  base::Result<> start();
  // Any thread.
  void deliver(std::vector<policy::Delta> deltas);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace margay::node
