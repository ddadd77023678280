#pragma once

// A node for benchmarks: one pod behind a workload interface, an uplink to everything else, policy
// on the pod's egress, and services.

#include <memory>

#include "policy/model.h"
#include "vector/bench/bench.h"

namespace margay::vector::bench {

struct ClusterOptions {
  uint64_t rules = 1;        // of the pod's egress policy, each with destinations of its own
  uint64_t set_members = 0;  // of the set that the last rule names
  uint64_t services = 0;
  uint64_t backends_of_service = 3;
  uint32_t sessions = 1 << 20;  // of each family
};

class Cluster {
 public:
  static base::Result<std::unique_ptr<Cluster>> make(const ClusterOptions& options);

  Engine& engine() { return *engine_; }
  InterfaceIndex pod_interface() const { return pod_; }

  // A flow of the pod to a service; every flow number has another.
  Tuple4 to_service4(uint64_t flow) const;
  Tuple6 to_service6(uint64_t flow) const;
  // A flow of the pod to what one of its policy's rules allows, spread over all rules.
  Tuple4 to_rule4(uint64_t flow) const;

  // Whether the packet left by the uplink as the flow's, translated to a backend of its service.
  bool left_for_backend(rte_mbuf* packet, InterfaceIndex out, const Tuple4& flow) const;
  bool left_for_backend(rte_mbuf* packet, InterfaceIndex out, const Tuple6& flow) const;
  bool left_unchanged(rte_mbuf* packet, InterfaceIndex out, const Tuple4& flow) const;

 private:
  explicit Cluster(const ClusterOptions& options) : options_(options) {}
  base::Result<> add_services();
  void add_policy();

  ClusterOptions options_;
  std::unique_ptr<Engine> engine_;
  InterfaceIndex pod_ = 0, uplink_ = 0;
};

}  // namespace margay::vector::bench
