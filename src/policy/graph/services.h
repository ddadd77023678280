#pragma once

// The services that this node balances: each with the frontends that are its own and the backends
// that may be used from here (policy/service_program.h). Of two services that claim one frontend
// the older has it, then the lower key; the other takes over when it goes.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "policy/graph/tracked.h"
#include "policy/service_program.h"

namespace margay::policy {

class Services {
 public:
  explicit Services(std::string node) : view_{.node = std::move(node), .zone = {}} {}

  void set_service(const Service& service);
  void remove_service(const ServiceKey& key);
  void set_slice(const EndpointSlice& slice);
  void remove_slice(const EndpointSliceKey& key);
  // The zone of any node; ours counts.
  void set_zone(const std::string& node, const std::string& zone);

  // Works out the services that something has changed for.
  void resolve();
  Tracked<ServiceKey, ProgramService>::Difference take_difference() {
    return programs_.take_difference();
  }
  Tracked<ServiceKey, Unprogrammed>::Difference take_unprogrammed_difference() {
    return unprogrammed_.take_difference();
  }

 private:
  // Who claims a frontend, the one that has it first.
  struct Claimant {
    std::string created;
    ServiceKey key;
    auto operator<=>(const Claimant&) const = default;
  };

  void claim(const Service& service, bool held);
  void resolve(const ServiceKey& key);

  ServiceView view_;
  std::map<ServiceKey, Service> services_;
  std::map<EndpointSliceKey, EndpointSlice> slices_;
  std::map<ServiceKey, std::set<EndpointSliceKey>> slices_of_;
  std::map<FrontendKey, std::set<Claimant>> claims_;
  std::set<ServiceKey> changed_;
  Tracked<ServiceKey, ProgramService> programs_;
  Tracked<ServiceKey, Unprogrammed> unprogrammed_;
};

}  // namespace margay::policy
