#pragma once

// Who lives in the cluster, and which addresses they say are theirs: nodes, pods and workload
// endpoints. Here is decided when a node counts as gone and when an address as a pod's no more.
// Whatever is in doubt counts as living.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "store/store.h"

namespace margay::ipam {

enum class NodeState : uint8_t {
  present,
  silent,   // there, but its condition Ready is not True (its kubelet is not heard of, or can take
            // nothing down): what it has taken down, nobody knows
  gone,     // Kubernetes does not have it
  unclear,  // its Calico Node cannot be read, or is of no Kubernetes node: not ours to judge
};

// A node by Calico's name. Its Calico Node says by spec.orchRefs which Kubernetes node it is; where
// there is none, that has the same name.
struct NodeView {
  NodeState state = NodeState::gone;
  std::string kubernetes_name;  // empty when unclear
  bool has_calico_node = false;
};
// As it is now: asks the store, which has to say by a list that something is not there.
base::Result<NodeView> look_at_node(store::Store& store, const std::string& name);
base::Result<std::optional<store::Entry>> find_calico_node(store::Store& store,
                                                           const std::string& name);

enum class PodUse : uint8_t {
  in_use,     // the pod says that it has one of the addresses, or does not say yet which it has
  elsewhere,  // the pod has others
};
// By status.podIP(s), the CNI plugin's annotations and those of Multus.
PodUse use_by_pod(const store::Entry& pod, std::span<const base::IPAddress> addresses);
// The same as it is now; nothing: there is no such pod.
base::Result<std::optional<PodUse>> look_at_pod(store::Store& store, const std::string& ns,
                                                const std::string& name,
                                                std::span<const base::IPAddress> addresses);

// All nodes and workload endpoints at one time.
class Inhabitants {
 public:
  static base::Result<Inhabitants> load(store::Store& store);

  NodeView node(const std::string& name) const;
  std::vector<std::string> calico_nodes() const;
  // What a node that is not gone, or a workload endpoint, says is its own.
  bool has(const base::IPAddress& address) const { return addresses_.contains(address); }
  bool has_any(std::span<const base::IPAddress> addresses) const;
  // By Calico's name.
  bool has_workload_endpoints(const std::string& node) const { return occupied_.contains(node); }

 private:
  base::Result<> add_workload_endpoint(const store::Entry& entry);

  std::map<std::string, bool> is_silent_;                // by Kubernetes' name
  std::map<std::string, std::string> kubernetes_names_;  // of Calico Nodes; empty: unclear
  std::set<base::IPAddress> addresses_;
  std::set<std::string> occupied_;
};

}  // namespace margay::ipam
