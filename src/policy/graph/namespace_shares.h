#pragma once

// Which of the policies that apply to local endpoints have a share of the node
// (policy/rules_cost.h).

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/secret_hash.h"
#include "policy/graph/ip_sets.h"
#include "policy/graph/tracked.h"
#include "policy/rules_cost.h"

namespace margay::policy {

class NamespaceShares {
 public:
  using Compile = std::function<CompiledRules(const PolicyKey&)>;

  // How many members a set has is asked of `sets`, where policies' sets are followed.
  NamespaceShares(const RulesBudget& budget, IPSets& sets)
      : budget_(budget), sets_(sets), share_(budget.of_a_namespace) {}

  // In how many places, that is directions of local endpoints, the policy applies.
  void set_places(const PolicyKey& key, size_t places);
  // Its rules have changed.
  void touch(const PolicyKey& key);

  // Those that have got a share, or lost it, since the last call. Looks at the namespaces in which
  // something has changed, sets' sizes included, and at all when there are twice as many endpoints
  // to look at as when they were looked at, or half as many.
  std::vector<PolicyKey> resolve(const Compile& compile);
  // As of the last resolve().
  bool has_share(const PolicyKey& key) const { return !closed_.contains(key); }
  // Policies without a share.
  Tracked<PolicyKey, Unprogrammed>::Difference take_unprogrammed_difference() {
    return unprogrammed_.take_difference();
  }

 private:
  struct Cost {
    size_t places = 0;
    bool is_known = false;  // `own` and `sets` are of its rules as they are
    RulesCost own;
    std::vector<std::pair<std::string, RulesCost>> sets;  // one that several name costs once
    bool is_followed = false;                             // `sets` are
    std::vector<std::string> followed;
  };
  struct Namespace {
    std::map<PolicyKey, Cost> costs;
    RulesCost used;  // without members of sets; at least of the first that have more than a share
  };

  void remove(const PolicyKey& key);
  // Learns what policies cost, up to the first that does not fit whatever the sets' members are,
  // and has the sets of those before it followed. Nothing is compiled for those behind it.
  void measure(Namespace& ns, const Compile& compile);
  void learn(Cost& cost, const CompiledRules& compiled);
  // What following sets takes grows with what there is to look at.
  void measure_anew_if_items_grew();
  void follow(const PolicyKey& key, Cost& cost, const std::map<std::string, SetSpec>& sets);
  void unfollow(const PolicyKey& key, Cost& cost);
  void forget(const PolicyKey& key, Cost& cost);
  RulesCost share() const;
  void close_what_does_not_fit(const Namespace& ns, std::vector<PolicyKey>& changed);
  void set_share(const PolicyKey& key, bool has);

  // Ids depend on texts that tenants choose.
  using SetIds = std::unordered_set<std::string_view, base::SecretHash>;

  const RulesBudget budget_;
  const base::SecretHash hash_;
  IPSets& sets_;
  RulesCost share_;        // of each namespace, now
  size_t item_count_ = 0;  // that costs were learnt with
  std::map<std::string, Namespace> namespaces_;
  // By set: the namespaces whose policies name it, and how many of them do.
  std::unordered_map<std::string, std::map<std::string, size_t>, base::SecretHash> namers_;
  std::set<std::string> changed_;  // namespaces
  std::set<PolicyKey> closed_;
  std::vector<PolicyKey> reopened_;  // since the last resolve(), by applying to nothing any more
  Tracked<PolicyKey, Unprogrammed> unprogrammed_;
};

}  // namespace margay::policy
