#pragma once

// The rules and sets of one IP family: turns deltas into chains and sets, the same for every data
// plane of the Linux kernel, and has its tables (family_tables.h) bring the kernel there.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dataplane/linux/config.h"
#include "dataplane/linux/family_tables.h"
#include "dataplane/linux/filter_chains.h"
#include "dataplane/linux/host_chains.h"
#include "dataplane/linux/marks.h"
#include "dataplane/linux/rule_renderer.h"

namespace margay::dataplane::linux_host {

class FamilyRules {
 public:
  // `config` outlives this.
  FamilyRules(const Config& config, policy::IPFamily family, Marks marks,
              std::unique_ptr<FamilyTables> tables);

  policy::IPFamily family() const { return family_; }
  void on_delta(const policy::Delta& delta);

  // The whole desired state. An endpoint with a rule or set that the kernel refuses is closed in
  // this family, and no error: see closed().
  base::Result<> apply();
  // For the time before the first complete state: if no run before has left chains that enforce,
  // and that packets reach, programs those that drop everything from and to workloads. Opens
  // nothing.
  base::Result<> apply_closed_start();
  // Read anew at the next apply(), where what was refused is tried again.
  void resync_rules() { tables_->forget_rules(); }
  std::optional<std::chrono::milliseconds> check_due_in() const { return tables_->check_due_in(); }
  void resync_sets() { tables_->forget_sets(); }
  base::Result<> clean_up() { return tables_->clean_up(); }
  // See DataPlane::differences().
  base::Result<Differences> differences();

  // The host endpoints with a policy that could not be programmed, which drops everything that
  // comes to it, and why.
  std::map<policy::HostEndpointKey, std::string> impaired_hosts() const;
  // The endpoints that are closed since their policy could not be programmed, and why.
  const std::map<policy::WorkloadKey, std::string>& closed() const { return closed_; }
  // After apply(): what of it is to be tried again, as sets that could not be written.
  const base::Result<>& unfinished() const { return unfinished_; }

 private:
  using NetSets = std::map<std::string, std::vector<policy::Prefix>>;

  void on(const policy::SetUpdate& update);
  void on(const policy::SetDelta& update);
  void on(const policy::SetRemove& update);
  void on(const policy::PolicyUpdate& update);
  void on(const policy::PolicyRemove& update);
  void on(const policy::ProfileUpdate& update);
  void on(const policy::ProfileRemove& update);
  void on(const policy::WorkloadUpdate& update);
  void on(const policy::WorkloadRemove& update);
  void on(const policy::PoolUpdate& update);
  void on(const policy::PoolRemove& update);
  void on(const policy::HostUpdate& update);
  void on(const policy::HostRemove& update);
  void on(const policy::TunnelUpdate& update);
  void on(const policy::TunnelRemove& update);
  void on(const policy::HostEndpointUpdate& update);
  void on(const policy::HostEndpointRemove& update);
  template <typename Other>
  void on(const Other&) {}  // routes are not of these tables

  void set_rules_chain(const std::string& name, const std::string& subject,
                       std::shared_ptr<const policy::ProgramRules> rules,
                       policy::Direction direction);
  void remove_rules_chain(const std::string& name);
  void hold(const NetSets& sets);
  void release(const std::vector<std::string>& ids);
  void forget_workload(const policy::WorkloadKey& key);

  void render_pending();
  void render_static();
  void render_hosts();
  void render_early(Layer layer, const std::string& name);
  HostPolicy host_policy() const;
  HostEndpoints host_endpoints() const;
  void render_endpoints();
  bool may_have_floating_ips(const policy::WorkloadKey& key) const;
  void render_nat();
  void render_address_sets();
  Encapsulations encapsulations() const;
  base::Result<> write_rules();
  // Whether that changed anything.
  bool close_endpoints();
  // Follows what tables can be written: where raw or mangle cannot, host endpoints are closed by
  // filter. Whether that changed anything.
  bool do_without_unwritten();

  const Config& config_;
  policy::IPFamily family_;
  Marks marks_;
  RenderOptions render_options_;
  std::unique_ptr<FamilyTables> tables_;
  base::Result<> unfinished_;
  std::set<Layer> unwritten_;  // that host endpoints have to do without

  std::map<policy::WorkloadKey, policy::ProgramWorkload> workloads_;
  std::map<policy::WorkloadKey, std::string> closed_;
  // A policy's or profile's rules in one direction, which are one chain.
  struct RulesChain {
    std::string subject;  // "policy default/ns/web"
    std::shared_ptr<const policy::ProgramRules> rules;
    policy::Direction direction;
  };
  std::map<std::string, RulesChain> rules_chains_;
  std::map<policy::HostEndpointKey, policy::ProgramHostEndpoint> host_endpoints_;
  // The chains that each layer has for host endpoints, rules chains in raw and mangle included.
  std::map<Layer, std::set<std::string>> host_chains_;
  std::map<Layer, std::set<std::string>> early_rules_;  // rules chains in raw and mangle
  std::map<std::string, policy::WorkloadKey> interfaces_;
  std::set<std::string> changed_interfaces_;
  std::map<std::string, std::vector<std::string>> held_sets_;  // rules chain -> net sets it names
  std::map<std::string, size_t> set_holders_;
  std::map<std::string, policy::IPPool> pools_;
  std::map<std::string, policy::IPAddress> hosts_;        // this family's address of each node
  std::map<std::string, policy::IPAddress> tunnel_ends_;  // node -> outer address
  bool hosts_changed_ = true, static_changed_ = true, nat_changed_ = true,
       address_sets_changed_ = true;
};

}  // namespace margay::dataplane::linux_host
