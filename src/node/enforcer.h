#pragma once

// Runs a data plane: its one control thread. Deltas and interfaces go in; the enforcer lays the
// closed start, applies what arrives, tries again with back-off what failed, and reads back each
// kind of programmed state at its own interval.
//
// Whatever fails stays pending and as closed as it was; readiness is lost until it is mended. What
// the data plane cannot do (dataplane/capabilities.h) is said in the log, by name and once each; an
// endpoint that it does not take at all is reported as an error.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/result.h"
#include "dataplane/dataplane.h"
#include "dataplane/upcalls.h"
#include "node/agent_metrics.h"
#include "node/health.h"
#include "policy/program.h"

namespace margay::node {

class Enforcer final : public dataplane::InterfaceSource::Listener {
 public:
  // The name under which it reports to Health.
  static constexpr const char* k_health_part = "data plane";

  struct Options {
    // How often each kind is read back and repaired; a kind that is missing or 0: never.
    std::map<dataplane::StateKind, std::chrono::milliseconds> refresh;
    // Called once, on the enforcer's thread, when apply() has succeeded for the first time: from
    // then on nothing that ought to be closed is open.
    std::function<void()> on_closed_start;
    // Called once, there, when every endpoint of the first complete state has been reported.
    std::function<void()> on_all_reported;
  };

  // `reports` hears how it stands with each endpoint, on the enforcer's thread. All references
  // outlive this.
  Enforcer(std::unique_ptr<dataplane::DataPlane> data_plane, Options options,
           dataplane::Upcalls& reports, Health& health, AgentMetrics& metrics);
  // Stops the thread. What is programmed stays: a restart must cut nothing.
  ~Enforcer() override;

  // Returns when the closed start has been tried once, whether it succeeded or is being tried
  // again: nothing that comes after, such as reaching the datastore, comes before it.
  void start();
  // Any thread. `taken`, if any, is called on the enforcer's thread when the data plane has been
  // given these: whoever waits for it before the next delivery has one queued at the most.
  void deliver(std::vector<policy::Delta> deltas, std::function<void()> taken = {});

  // Any thread.
  void on_interfaces(const std::vector<dataplane::Interface>& all) override;
  void on_interface(const dataplane::Interface& interface) override;
  void on_interface_removed(const std::string& name) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace margay::node
