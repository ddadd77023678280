#pragma once

// For tests and benchmarks: a cluster of any size, as its API server stores it. Which pod and
// policy is where, and what is to be expected on a node, is arithmetic on their numbers.
//
// Fifty pods a node, five hundred a namespace, four applications and three roles among them. Half
// of the policies are Kubernetes', half Calico's; each is about one application of one namespace.
// An agent of one node finds a few in a hundred of them active.

#include <cstddef>
#include <string>

#include "store/store.h"

namespace margay::k8s::testing {

struct StoredCluster {
  size_t pods = 0;
  size_t policies = 0;
  // What a Deployment, a scheduler and a kubelet write into a pod, beside what policy asks about.
  bool full_pods = true;

  static constexpr size_t k_pods_per_node = 50;
  static constexpr size_t k_pods_per_namespace = 500;

  size_t nodes() const { return (pods + k_pods_per_node - 1) / k_pods_per_node; }
  size_t namespaces() const { return (pods + k_pods_per_namespace - 1) / k_pods_per_namespace; }

  // What an agent on node 0 must arrive at.
  struct Program {
    size_t local_endpoints = 0;
    size_t active_policies = 0;
    size_t sets = 0;
    size_t members = 0;  // of all sets
    bool operator==(const Program&) const = default;
  };
  Program program() const;

  // Into a store that has none of it; from several threads, so that they share its commits.
  void write_to(store::Store& store) const;
};

std::string node_name(size_t node);
std::string pod_json(const StoredCluster& cluster, size_t pod);
std::string policy_json(const StoredCluster& cluster, size_t policy);

}  // namespace margay::k8s::testing
