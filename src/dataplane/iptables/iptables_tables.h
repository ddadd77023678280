#pragma once

// The rules and sets of one family in iptables and ipset.

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "dataplane/iptables/commands.h"
#include "dataplane/iptables/ip_sets.h"
#include "dataplane/iptables/linux_names.h"
#include "dataplane/iptables/table.h"
#include "dataplane/iptables/table_group.h"
#include "dataplane/linux/config.h"
#include "dataplane/linux/family_tables.h"

namespace margay::dataplane::iptables {

class IptablesTables final : public FamilyTables {
 public:
  // Both outlive this.
  IptablesTables(policy::IPFamily family, const Config& config, Commands& commands);

  void set_chain(Layer layer, const PacketChain& chain) override;
  void remove_chain(Layer layer, const std::string& name) override;
  void set_hook(Layer layer, const std::string& hook, bool wanted) override;
  void set_workload(const std::string& interface_name, bool known) override;
  void set_members(std::string_view id, policy::SetType type,
                   const policy::SetMembers& members) override;
  void change_members(std::string_view id, const std::vector<policy::SetMember>& added,
                      const std::vector<policy::SetMember>& removed) override;
  void remove_set(std::string_view id) override;

  base::Result<> write_sets() override;
  bool has_refused_sets() const override { return !sets_.refused().empty(); }
  base::Result<> write_rules(const std::set<Layer>& done_without) override;
  base::Result<> remove_unused_sets() override { return sets_.apply_removals(); }
  const std::map<std::string, RefusedChain>& refused(Layer layer) const override;
  std::set<Layer> unwritten() const override;
  void forget_rules() override { tables_.forget(); }
  void forget_sets() override { sets_.resync(); }
  base::Result<Differences> differences() override;
  std::optional<std::chrono::milliseconds> check_due_in() const override {
    return tables_.check_due_in();
  }
  base::Result<bool> resume() override;
  bool filter_enforces() const override;
  std::unique_ptr<FamilyTables> for_closed_start() override;
  base::Result<> clean_up() override;

 private:
  IptablesTables(policy::IPFamily family, const Config& config, Commands& commands,
                 bool closed_start);
  Table& table(Layer layer);
  bool is_wired() const;
  bool has_filter_chains() const;
  base::Result<> wire();
  void render_dispatch();

  const policy::IPFamily family_;
  const Config& config_;
  Commands& commands_;
  Table raw_, mangle_, filter_, nat_;
  TableGroup tables_;
  IPSets sets_;
  std::vector<std::string> chains_without_sets_;  // refused since a set they name could not be made
  std::set<std::string> workloads_;               // interfaces that the dispatch chains know
  std::map<std::string, std::set<std::string>> dispatch_names_;  // dispatch -> chains it has now
  bool dispatch_changed_ = true;
};

}  // namespace margay::dataplane::iptables
