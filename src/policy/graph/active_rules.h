#pragma once

// The rules that some local endpoint asks, compiled: of policies (by PolicyKey) or of profiles (by
// name). Keeps the source of every set of rules, packed, and compiles only what is wanted. Policies
// that have no share of the node (graph/namespace_shares.h) deny.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "policy/compile_rules.h"
#include "policy/graph/ip_sets.h"
#include "policy/graph/namespace_shares.h"
#include "policy/graph/packed_rules.h"
#include "policy/graph/tracked.h"

namespace margay::policy {

// ProgramRules by value, shared.
struct SharedRules {
  std::shared_ptr<const ProgramRules> rules;
  bool operator==(const SharedRules& other) const { return *rules == *other.rules; }
};

template <typename Key>
class ActiveRules {
 public:
  // `shares`: of policies; null for profiles.
  ActiveRules(RulesOf kind, IPSets& sets, const NamespaceShares* shares = nullptr)
      : kind_(kind), sets_(sets), shares_(shares) {}

  // False when it was the same before.
  bool set_source(const Key& key, const std::vector<Rule>& ingress,
                  const std::vector<Rule>& egress);
  void remove_source(const Key& key);

  // Rules are active while they have been acquired more often than released. Those without a
  // source are active as empty lists, so that whoever names them refers to something.
  void acquire(const Key& key);
  void release(const Key& key);
  // It has got a share, or lost it.
  void touch(const Key& key) {
    if (users_.contains(key)) changed_.insert(key);
  }
  CompiledRules compiled(const Key& key) const;

  // Compiles what has changed, and acquires and releases the sets it names.
  void compile();
  typename Tracked<Key, SharedRules>::Difference take_difference() {
    return active_.take_difference();
  }
  size_t active_count() const { return active_.size(); }
  size_t source_count() const { return sources_.size(); }

 private:
  using Sets = std::map<std::string, SetSpec>;

  CompiledRules wanted(const Key& key) const;
  void deactivate(const Key& key);
  // Sets that both lists name are left alone.
  void exchange_sets(Sets& held, Sets wanted);

  const RulesOf kind_;
  IPSets& sets_;
  const NamespaceShares* const shares_;
  std::map<Key, PackedRules> sources_;
  std::map<Key, size_t> users_;
  std::map<Key, Sets> held_sets_;
  std::set<Key> changed_;  // since the last compile()
  Tracked<Key, SharedRules> active_;
};

extern template class ActiveRules<PolicyKey>;
extern template class ActiveRules<std::string>;

}  // namespace margay::policy
