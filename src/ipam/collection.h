#pragma once

// Collecting what nobody uses any more: what Calico's kube-controllers do with a node that is gone,
// and with addresses whose pod is gone and whose release never came.
//
//   plan_collection()  looks at everything there is, and says what seems to be nobody's
//   collect()          takes one after another of that, if it is nobody's still
//
// That an address of somebody alive is never released rests on collect() alone: it reads a block,
// then asks whether node and pod are there, then writes the block as it was read
// (Ipam::release_if). So a plan may be old, two may collect at a time, and a program may die
// anywhere. Left alone is whatever is not a pod's or a tunnel's by its attributes, has no handle or
// cannot be read; and what a workload endpoint or a node that is there calls its own.
//
// Calls block. Errors are the store's.

#include <set>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "ipam/holdings.h"

namespace margay::store {
class Store;
}

namespace margay::ipam {

// A node that Kubernetes does not have, with no pod bound to it, no workload endpoint on it, and
// nothing in its name but what can be released.
struct VacatedNode {
  std::string name;  // Calico's
  bool has_calico_node = false;
  std::vector<Holding> pods;
  std::vector<Holding> tunnels;
  std::set<base::Prefix> blocks;  // that it has claimed
};

struct CollectionPlan {
  std::vector<VacatedNode> vacated;
  // Of pods that are gone, or have other addresses, on nodes that are not vacated. Such a state
  // may be passing (a pod whose sandbox is being taken down): who collects them first waits.
  std::vector<Holding> orphans;
  // Nodes that Kubernetes does not have, and pods that are bound to them: once the pods are gone
  // they may be vacated.
  std::vector<std::string> lingering;
  // Handles whose records count more than there is.
  std::vector<std::string> miscounted;
};

base::Result<CollectionPlan> plan_collection(store::Store& store);

struct Collected {
  size_t addresses = 0;
  size_t blocks = 0;     // given up
  size_t nodes = 0;      // Calico Nodes removed
  base::Result<> error;  // the first; what could be done was done all the same
};

Collected collect(store::Store& store, const CollectionPlan& plan);

// On a Calico Node that is about to be removed. A node that comes back takes it off, and so keeps
// its Node: who starts makes sure of the Kubernetes node first, then of this.
inline constexpr const char* k_leaving_annotation = "ipam.margay.io/node-is-leaving";

}  // namespace margay::ipam
