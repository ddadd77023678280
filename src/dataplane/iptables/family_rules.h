#pragma once

// Everything of one IP family that iptables and ipset hold: turns deltas into chains and sets, and
// applies them in the order that never opens: sets, then rules, then what no rule names any more.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dataplane/iptables/filter_chains.h"
#include "dataplane/iptables/host_chains.h"
#include "dataplane/iptables/ip_sets.h"
#include "dataplane/iptables/linux_names.h"
#include "dataplane/iptables/marks.h"
#include "dataplane/iptables/rule_renderer.h"
#include "dataplane/iptables/table.h"
#include "dataplane/iptables/table_group.h"

namespace margay::dataplane::iptables {

class FamilyRules {
 public:
  // `config` and `commands` outlive this.
  FamilyRules(const Config& config, policy::IPFamily family, Marks marks, Commands& commands);

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
  void resync_rules() { tables_.forget(); }
  void resync_sets() { sets_.resync(); }
  base::Result<> clean_up();

  // The host endpoints with a policy that could not be programmed, which drops everything that
  // comes to it, and why.
  std::map<policy::HostEndpointKey, std::string> impaired_hosts() const;
  // The endpoints that are closed since their policy could not be programmed, and why.
  const std::map<policy::WorkloadKey, std::string>& closed() const { return closed_; }
  // After apply(): what of it is to be tried again, as sets that could not be written.
  const base::Result<>& unfinished() const { return unfinished_; }

 private:
  bool is_wired() const;
  bool has_all_chains() const;
  base::Result<> wire();
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
  void render_early(Table& table, const std::string& name);
  HostPolicy host_policy() const;
  HostEndpoints host_endpoints() const;
  void render_endpoints();
  void render_dispatch();
  bool may_have_floating_ips(const policy::WorkloadKey& key) const;
  void render_nat();
  void render_address_sets();
  Encapsulations encapsulations() const;
  base::Result<> apply_sets();
  // Whether that changed anything.
  bool close_endpoints();

  const Config& config_;
  policy::IPFamily family_;
  Marks marks_;
  RenderOptions render_options_;
  Commands& commands_;
  Table raw_{"raw"}, mangle_{"mangle"}, filter_{"filter"}, nat_{"nat"};
  TableGroup tables_;
  IPSets sets_;
  base::Result<> unfinished_;
  std::vector<std::string> chains_without_sets_;  // refused since a set they name could not be made

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
  // The chains that each table has for host endpoints, rules chains in raw and mangle included.
  std::map<const Table*, std::set<std::string>> host_chains_;
  std::map<const Table*, std::set<std::string>> early_rules_;  // rules chains in raw and mangle
  std::map<std::string, policy::WorkloadKey> interfaces_;
  std::set<std::string> changed_interfaces_;
  std::set<std::string> dispatched_;  // interfaces that the dispatch chains know
  std::map<std::string, std::vector<std::string>> held_sets_;  // rules chain -> net sets it names
  std::map<std::string, size_t> set_holders_;
  std::map<std::string, policy::IPPool> pools_;
  std::map<std::string, policy::IPAddress> hosts_;        // this family's address of each node
  std::map<std::string, policy::IPAddress> tunnel_ends_;  // node -> outer address
  std::map<std::string, std::set<std::string>> dispatch_names_;  // dispatch -> chains it has now
  bool hosts_changed_ = true, static_changed_ = true, dispatch_changed_ = true, nat_changed_ = true,
       address_sets_changed_ = true;
};

}  // namespace margay::dataplane::iptables
