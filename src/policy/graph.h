#pragma once

// The policy graph: model changes in, deltas out, for one node.
//
// Single-threaded and incremental: the work is proportional to what changed. No I/O. Changes given
// between two flushes are coalesced; what comes out is the minimal way from the last flushed state
// to the present one, in dependency order (policy/program.h).

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "policy/program.h"
#include "policy/rules_cost.h"
#include "policy/workload_interfaces.h"

namespace margay::policy {

// What tells where the workloads of other nodes are (Felix's routeSource).
enum class RouteSource : uint8_t {
  blocks,    // the blocks of addresses that nodes have
  workloads  // each workload by itself
};

class Graph {
 public:
  // `node`: whose endpoints are local. `budget`: what the policies of namespaces may cost.
  explicit Graph(std::string node, WorkloadInterfaces workload_interfaces = {},
                 const RulesBudget& budget = k_rules_budget,
                 RouteSource route_source = RouteSource::blocks);
  ~Graph();

  // Host interfaces are those of this node, without workloads' ones.
  void on_change(const ModelChange& change);
  // The snapshot is complete, the host's interfaces included: the next flush ends with InSync. Call
  // once.
  void on_in_sync();

  // Emits what has changed since the last flush. Before on_in_sync nothing is emitted: a data
  // plane must never see half of the first state.
  std::vector<Delta> flush();

  struct Counts {
    size_t local_endpoints = 0, active_policies = 0, active_sets = 0, policies = 0, profiles = 0,
           workloads = 0, hosts = 0, host_endpoints = 0;
  };
  Counts counts() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace margay::policy
