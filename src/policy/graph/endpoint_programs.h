#pragma once

// Which policies each local endpoint is subject to, in which order: the programs of the endpoints.

#include <boost/unordered/unordered_flat_set.hpp>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/symbol_table.h"
#include "policy/graph/active_rules.h"
#include "policy/graph/host_endpoint_interfaces.h"
#include "policy/graph/namespace_shares.h"
#include "policy/graph/policy_standing.h"
#include "policy/graph/tracked.h"
#include "policy/program.h"
#include "selector/label_index.h"

namespace margay::policy {

class EndpointPrograms {
 public:
  // Acquires the rules that programs name. A policy without a share denies what it is asked of, and
  // programs name no policy of its tier behind it.
  EndpointPrograms(ActiveRules<PolicyKey>& policies, ActiveRules<std::string>& profiles,
                   const NamespaceShares& shares);
  ~EndpointPrograms();

  void set_tier(const std::string& name, const Tier& tier);
  void remove_tier(const std::string& name);
  void set_policy(const Policy& policy);
  void remove_policy(const PolicyKey& key);
  void set_profile_labels(const std::string& profile, const Labels& labels);
  void remove_profile_labels(const std::string& profile);
  // Those that are programmed on this node.
  void set_endpoint(const WorkloadEndpoint& endpoint);
  void set_endpoint(const GoverningHostEndpoint& endpoint);
  void remove_endpoint(const WorkloadKey& key);
  void remove_endpoint(const HostEndpointKey& key);

  // Policies that have come, gone or changed, and to how many endpoints each applies, each
  // direction counted, since the last call.
  std::map<PolicyKey, size_t> take_places();
  // It has got a share, or lost it.
  void touch(const PolicyKey& key);
  // Works out the programs of endpoints that something has changed for.
  void resolve();
  Tracked<WorkloadKey, ProgramWorkload>::Difference take_workload_difference() {
    return workloads_.take_difference();
  }
  Tracked<HostEndpointKey, ProgramHostEndpoint>::Difference take_host_endpoint_difference() {
    return host_endpoints_.take_difference();
  }
  size_t workload_count() const { return workload_count_; }

 private:
  using Number = base::Symbol;
  struct EndpointRecord {
    std::variant<WorkloadEndpoint, GoverningHostEndpoint> endpoint;
    boost::unordered_flat_set<Number> policies;  // whose selectors match
    std::vector<PolicyKey> held_policies;        // acquired for the present program
    std::vector<std::string> held_profiles;
  };

  struct PolicyRecord {
    PolicyStanding standing;
    Rank rank;
    size_t endpoints = 0;    // that its selector matches
    bool is_closed = false;  // it has no share
  };

  void set(const std::string& id, std::variant<WorkloadEndpoint, GoverningHostEndpoint> endpoint,
           const Labels& labels, const std::vector<std::string>& profiles);
  // False when there was none.
  bool remove(const std::string& id);
  void resolve(EndpointRecord& record);
  std::vector<const PolicyStanding*> reached_policies(const EndpointRecord& record) const;
  void leave_out_unreached(std::vector<PolicyKey>& policies) const;
  void hold(EndpointRecord& record, std::vector<PolicyKey> policies,
            std::vector<std::string> profiles);

  ActiveRules<PolicyKey>& policy_rules_;
  ActiveRules<std::string>& profile_rules_;
  const NamespaceShares& shares_;
  std::map<std::string, Tier> tiers_;
  base::SymbolTable policy_ids_;
  std::deque<PolicyRecord> policies_;  // by the symbol of their ids
  std::set<PolicyKey> moved_;          // to or from endpoints or directions
  base::SymbolTable endpoint_ids_;
  std::map<Number, EndpointRecord> endpoints_;
  size_t workload_count_ = 0;
  std::set<Number> changed_;  // endpoints
  Tracked<WorkloadKey, ProgramWorkload> workloads_;
  Tracked<HostEndpointKey, ProgramHostEndpoint> host_endpoints_;
  selector::LabelIndex index_;
};

}  // namespace margay::policy
