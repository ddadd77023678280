#pragma once

// Which host endpoint governs which interface of this node (docs/policy.md, "Host endpoints"):
// one that names it; else one without a name whose expected addresses include one of the
// interface's; the lowest name wins. `*` is for every interface that none of those governs.
//
// An interface that is named is governed before it is there, so that it is closed from its first
// packet on. A workload's interface is never a host's.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "policy/graph/tracked.h"
#include "policy/program.h"

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
  // The workload that has an interface of this name; null when none has.
  using WorkloadOf = std::function<const WorkloadKey*(const std::string& interface)>;
  explicit HostEndpointInterfaces(WorkloadOf workload_of) : workload_of_(std::move(workload_of)) {}

  // Local host endpoints only.
  void set_host_endpoint(const HostEndpoint& endpoint);
  void remove_host_endpoint(const HostEndpointKey& key);
  void set_interface(const HostInterface& interface);
  void remove_interface(const std::string& name);
  // What `workload_of` says may have changed.
  void on_workload_interfaces_changed() { changed_ = true; }

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
  // Those that are there, and those that are named.
  std::set<std::string> interface_names() const;
  std::string reason_for_none(const HostEndpoint& endpoint) const;

  WorkloadOf workload_of_;
  std::map<HostEndpointKey, HostEndpoint> endpoints_;
  std::map<std::string, HostInterface> interfaces_;
  bool changed_ = false;
  Tracked<HostEndpointKey, GoverningHostEndpoint> governing_;
  Tracked<HostEndpointKey, Unprogrammed> unprogrammed_;
};

}  // namespace margay::policy
