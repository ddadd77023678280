#include "policy/graph/namespace_shares.h"

#include <utility>

namespace margay::policy {

void NamespaceShares::set(const PolicyKey& key, RulesCost cost) {
  if (key.ns.empty()) return;
  const auto [known, is_new] = costs_[key.ns].try_emplace(key, cost);
  if (!is_new && known->second == cost) return;
  known->second = cost;
  changed_.insert(key.ns);
}

void NamespaceShares::remove(const PolicyKey& key) {
  const auto found = costs_.find(key.ns);
  if (found == costs_.end() || found->second.erase(key) == 0) return;
  closed_.erase(key);
  changed_.insert(key.ns);
}

std::vector<PolicyKey> NamespaceShares::resolve() {
  std::vector<PolicyKey> changed;
  for (const auto& ns : std::exchange(changed_, {})) resolve(ns, changed);
  return changed;
}

void NamespaceShares::resolve(const std::string& ns, std::vector<PolicyKey>& changed) {
  const auto found = costs_.find(ns);
  if (found->second.empty()) {
    costs_.erase(found);
    return;
  }
  RulesCost used;
  for (const auto& [key, cost] : found->second) {
    used.rules += cost.rules;
    used.sets += cost.sets;
    const bool fits =
        used.rules <= k_share_of_a_namespace.rules && used.sets <= k_share_of_a_namespace.sets;
    if (fits == has_share(key)) continue;
    if (fits)
      closed_.erase(key);
    else
      closed_.insert(key);
    changed.push_back(key);
  }
}

}  // namespace margay::policy
