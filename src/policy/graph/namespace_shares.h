#pragma once

// Which of a namespace's active policies have a share of the node (policy/rules_cost.h).

#include <map>
#include <set>
#include <string>
#include <vector>

#include "policy/rules_cost.h"

namespace margay::policy {

class NamespaceShares {
 public:
  void set(const PolicyKey& key, RulesCost cost);
  void remove(const PolicyKey& key);

  // Those that have got a share, or lost it, since the last call. Looks at the namespaces in which
  // something has changed.
  std::vector<PolicyKey> resolve();
  // As of the last resolve().
  bool has_share(const PolicyKey& key) const { return !closed_.contains(key); }

 private:
  void resolve(const std::string& ns, std::vector<PolicyKey>& changed);

  std::map<std::string, std::map<PolicyKey, RulesCost>> costs_;
  std::set<std::string> changed_;
  std::set<PolicyKey> closed_;
};

}  // namespace margay::policy
