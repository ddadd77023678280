#pragma once

// Which host endpoint governs which interface of this node (docs/policy.md, "Host endpoints"):
// one that names it; else one without a name whose expected addresses include one of the
// interface's; the lowest name wins. `*` is for every interface that none of those governs.
//
// An interface that is named is governed before it is there, so that it is closed from its first
// packet on. What has a workload's name is never a host's (policy/workload_interfaces.h).

#include <map>
#include <set>
#include <string>
#include <vector>

#include "policy/graph/tracked.h"
#include "policy/program.h"
#include "policy/workload_interfaces.h"

namespace margay::policy {

// A host endpoint with what it governs; see ProgramHostEndpoint.
struct GoverningHostEndpoint {
  HostEndpoint endpoint;
  std::vector<std::string> interfaces;
  bool every_other_interface = false;
  bool operator==(const GoverningHostEndpoint&) const = default;
};

class HostEndpointInterfaces {
 public:
  explicit HostEndpointInterfaces(WorkloadInterfaces workload_interfaces)
      : workload_interfaces_(std::move(workload_interfaces)) {}

  // Local host endpoints only.
  void set_host_endpoint(const HostEndpoint& endpoint);
  void remove_host_endpoint(const HostEndpointKey& key);
  void set_interface(const HostInterface& interface);
  void remove_interface(const std::string& name);

  // Looks at all host endpoints and interfaces of the node, which are few, when any has changed.
  void resolve();
  Tracked<HostEndpointKey, GoverningHostEndpoint>::Difference take_difference() {
    return governing_.take_difference();
  }
  Tracked<HostEndpointKey, Unprogrammed>::Difference take_unprogrammed_difference() {
    return unprogrammed_.take_difference();
  }

 private:
  // The endpoint that governs the interface by its name or addresses; null: that for `*`.
  const HostEndpoint* governor_of(const std::string& name) const;
  const HostEndpoint* governor_of_all() const;  // that for `*`; null: none
  // Of the host's, those that are there, and those that are named.
  std::set<std::string> interface_names() const;
  std::string reason_for_none(const HostEndpoint& endpoint) const;

  WorkloadInterfaces workload_interfaces_;
  std::map<HostEndpointKey, HostEndpoint> endpoints_;
  std::map<std::string, HostInterface> interfaces_;
  bool changed_ = false;
  Tracked<HostEndpointKey, GoverningHostEndpoint> governing_;
  Tracked<HostEndpointKey, Unprogrammed> unprogrammed_;
};

}  // namespace margay::policy
