#pragma once

// Which local workload has an interface, an address and a floating IP that several claim, and so
// what of each workload is programmed.
//
// * An interface: the lowest key, where the name is a workload's (policy/workload_interfaces.h).
//   The others are not programmed at all.
// * An address, also one from outside that is mapped to a workload: of the workloads that are
//   programmed, first those that are up and have an interface, then the lowest key. The others are
//   programmed without it.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "policy/graph/tracked.h"
#include "policy/program.h"
#include "policy/workload_interfaces.h"

namespace margay::policy {

class WorkloadOwners {
 public:
  explicit WorkloadOwners(WorkloadInterfaces workload_interfaces)
      : workload_interfaces_(std::move(workload_interfaces)) {}

  // Local workloads only.
  void set_workload(const WorkloadEndpoint& endpoint);
  void remove_workload(const WorkloadKey& key);

  // Works out what each workload has, where something has changed.
  void resolve();
  // Of what is programmed: endpoints with what they own.
  Tracked<WorkloadKey, WorkloadEndpoint>::Difference take_difference() {
    return programmed_.take_difference();
  }
  Tracked<WorkloadKey, Unprogrammed>::Difference take_unprogrammed_difference() {
    return unprogrammed_.take_difference();
  }

 private:
  template <typename Name>
  using Claims = std::map<Name, std::set<WorkloadKey>>;

  void add_claims(const WorkloadEndpoint& endpoint);
  void remove_claims(const WorkloadEndpoint& endpoint);
  // Everyone whose ownership may depend on this endpoint.
  void touch(const WorkloadEndpoint& endpoint);
  void touch_addresses(const WorkloadEndpoint& endpoint);
  void resolve(const WorkloadKey& key);
  // Takes out of `endpoint` what others own, and says so.
  void leave_to_owners(WorkloadEndpoint& endpoint, std::vector<std::string>& reasons) const;
  bool is_programmed(const WorkloadEndpoint& endpoint) const;
  // For one that is not programmed.
  std::string reason_for_none(const WorkloadEndpoint& endpoint) const;
  const WorkloadKey& owner_among(const std::set<WorkloadKey>& claimants) const;

  WorkloadInterfaces workload_interfaces_;
  std::map<WorkloadKey, WorkloadEndpoint> workloads_;  // as written
  Claims<std::string> interfaces_;
  Claims<IPAddress> addresses_;
  Claims<IPAddress> floating_ips_;  // by external address
  std::set<WorkloadKey> changed_;
  Tracked<WorkloadKey, WorkloadEndpoint> programmed_;
  Tracked<WorkloadKey, Unprogrammed> unprogrammed_;
};

}  // namespace margay::policy
