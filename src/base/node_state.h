#pragma once

// What the programs of one node leave for each other on its disk, where Calico's do:
//
//   /var/lib/calico        stays across boots: "mtu", "nodename"
//   /var/run/calico        this boot's: "closed-start", "endpoint-status/"
//
// The agent writes, the CNI plugin reads. In a lab each node has directories of its own: the
// environment variables MARGAY_STATE_DIR and MARGAY_RUN_DIR name them.

#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace margay::base {

struct NodeState {
  std::filesystem::path lib = "/var/lib/calico";
  std::filesystem::path run = "/var/run/calico";

  // From K=V strings ended by null.
  static NodeState from_environment(const char* const* environment);

  std::filesystem::path mtu_file() const { return lib / "mtu"; }
  std::filesystem::path node_name_file() const { return lib / "nodename"; }
  std::filesystem::path closed_start_file() const { return run / "closed-start"; }
  std::filesystem::path endpoint_status_directory() const { return run / "endpoint-status"; }
};

// Whether the agent has made sure, since this machine was booted, that workloads without policy
// pass nothing. Until then a pod that is wired up is an open pod: CNI ADD answers "try again
// later". The mark names the boot, so that one which outlives it (a directory that is not in
// memory) is none.
bool has_closed_start(const NodeState& state);
Result<> mark_closed_start(const NodeState& state);

// The MTU that workloads' interfaces get. `not_found`: none was written; `invalid`: not a number.
Result<uint32_t> read_workload_mtu(const NodeState& state);
Result<> write_workload_mtu(const NodeState& state, uint32_t mtu);

}  // namespace margay::base
