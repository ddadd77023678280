#pragma once

// What every data plane of the Linux kernel does, whatever keeps its rules:
//
//   deltas --> FamilyRules (IPv4, IPv6): sets -> rules -> sets no longer named
//          \-> NodeRoutes: interfaces, routes, neighbours, tunnel devices
//
// apply() goes in that order, so that an endpoint has its policy before it has a route, and an
// interface without an endpoint's chains is dropped by the dispatch. Control thread only; works in
// the calling thread's network namespace.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dataplane/dataplane.h"
#include "dataplane/linux/config.h"
#include "dataplane/linux/family_tables.h"

namespace margay::dataplane::linux_host {

class FamilyRules;
class NodeRoutes;

// `invalid`: the configuration contradicts itself. Each error names the setting.
base::Result<> validate(const Config& config);
// Notes what this kernel has.
base::Result<> complete(Config& config);

class KernelDataPlane : public DataPlane {
 public:
  // The tables may keep the reference.
  using MakeTables =
      std::function<std::unique_ptr<FamilyTables>(policy::IPFamily, const Config& config)>;

  KernelDataPlane(std::string name, Config config, const MakeTables& tables);
  ~KernelDataPlane() override;

  // Without it only rules and sets are programmed. Before the first delta.
  base::Result<> make_routes();

  Capabilities capabilities() const override;
  void on_delta(const policy::Delta& delta) override;
  void on_interface(const Interface& interface) override;
  void on_interface_removed(const std::string& name) override;
  ApplyReport apply() override;
  void resync(StateKind kind) override;
  base::Result<Differences> differences() override;
  base::Result<> clean_up() override;

 protected:
  const Config& config() const { return config_; }
  // Everything is as desired. Called at the end of each apply() that brought it there.
  virtual void on_settled() {}

 private:
  base::Result<> program();
  EndpointStatus status_of(const policy::WorkloadKey& key, const base::Result<>& outcome) const;
  void report_hosts(const base::Result<>& outcome);

  const std::string name_;
  const Config config_;
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

}  // namespace margay::dataplane::linux_host
