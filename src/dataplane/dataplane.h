#pragma once

// A data plane: turns the desired state that deltas describe into programmed state.
//
// One shape for everything it owns: desired table, known-actual table, minimal difference, apply,
// verify. At start it reads what is there and sweeps what it owns but no longer wants, only after
// InSync; until then what an earlier run programmed goes on enforcing. One control thread calls it.

#include <chrono>
#include <string>

#include "base/result.h"
#include "policy/program.h"

namespace margay::dataplane {

// What of the program a data plane cannot express, and what it does instead. Never silent.
struct Capabilities {
  std::string name;
  bool log_action = true;  // false: Log rules are skipped
  bool established_flows_survive_policy_change = true;
  bool host_endpoints = false;  // false: HostEndpointUpdate is refused with a warning
};

class DataPlane {
 public:
  virtual ~DataPlane() = default;

  virtual Capabilities capabilities() const = 0;
  // Remembers; programs nothing yet.
  virtual void on_delta(const policy::Delta& delta) = 0;
  // An interface of this host came up, or went down or away. What could not be programmed for want
  // of it is tried at the next apply().
  virtual void on_interface_change(const std::string& name, bool up) = 0;
  // Brings the programmed state to the desired one. On error what could not be programmed stays
  // pending and as closed as it was: call again (the agent does, with back-off).
  virtual base::Result<> apply() = 0;
  // Forgets what is believed to be programmed, so that the next apply() reads it anew and repairs
  // what others changed.
  virtual void resync() = 0;
  // Removes everything this data plane ever made on this node.
  virtual base::Result<> clean_up() = 0;
};

}  // namespace margay::dataplane
