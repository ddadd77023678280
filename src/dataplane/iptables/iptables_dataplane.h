#pragma once

// The data plane of Linux nodes without eBPF: iptables and ipset decide, the kernel's routes carry.
//
//   deltas --> FamilyRules (IPv4, IPv6): sets -> rules -> sets no longer named
//          \-> NodeRoutes: interfaces, routes, neighbours, tunnel devices
//
// apply() goes in that order, so that an endpoint has its policy before it has a route, and an
// interface without an endpoint's chains is dropped by the dispatch. Control thread only; works in
// the calling thread's network namespace.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dataplane/dataplane.h"
#include "dataplane/iptables/commands.h"
#include "dataplane/iptables/linux_names.h"

namespace margay::dataplane::linux_host {
class NodeRoutes;
}  // namespace margay::dataplane::linux_host

namespace margay::dataplane::iptables {

class FamilyRules;

class IptablesDataPlane final : public DataPlane {
 public:
  // `invalid`: the configuration contradicts itself. `unavailable`: no iptables to run.
  static base::Result<std::unique_ptr<IptablesDataPlane>> create(Config config);
  // The same with other programs in place of the installed ones; without `routes` only rules and
  // sets are programmed.
  static base::Result<std::unique_ptr<IptablesDataPlane>> create(Config config,
                                                                 std::unique_ptr<Commands> commands,
                                                                 bool routes);
  ~IptablesDataPlane() override;

  Capabilities capabilities() const override;
  void on_delta(const policy::Delta& delta) override;
  void on_interface(const Interface& interface) override;
  void on_interface_removed(const std::string& name) override;
  ApplyReport apply() override;
  void resync(StateKind kind) override;
  base::Result<> clean_up() override;

 private:
  IptablesDataPlane(Config config, std::unique_ptr<Commands> commands);
  base::Result<> program();
  void sweep_other_backend();
  EndpointStatus status_of(const policy::WorkloadKey& key, const base::Result<>& outcome) const;
  void report_hosts(const base::Result<>& outcome);

  const Config config_;
  std::unique_ptr<Commands> commands_;
  std::unique_ptr<Commands>
      other_backend_;  // null: there is nothing of ours, or it is not asked for
  std::vector<std::unique_ptr<FamilyRules>> families_;
  std::unique_ptr<NodeRoutes> routes_;  // null: not asked for
  bool in_sync_ = false;

  std::set<policy::WorkloadKey> endpoints_;
  std::set<policy::WorkloadKey> unprogrammed_;  // changed since their rules could be written
  std::set<policy::HostEndpointKey> host_endpoints_;
  std::set<policy::HostEndpointKey> unprogrammed_hosts_;
  std::map<std::string, Interface> interfaces_;  // by name, as last told
  EndpointStatusTable statuses_;
};

}  // namespace margay::dataplane::iptables
