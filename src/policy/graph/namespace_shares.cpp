#include "policy/graph/namespace_shares.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace margay::policy {

void NamespaceShares::set_places(const PolicyKey& key, size_t places) {
  if (key.ns.empty()) return;
  if (places == 0) return remove(key);
  namespaces_[key.ns].costs[key].places = places;
  changed_.insert(key.ns);
}

void NamespaceShares::touch(const PolicyKey& key) {
  const auto found = namespaces_.find(key.ns);
  if (found == namespaces_.end()) return;
  const auto cost = found->second.costs.find(key);
  if (cost == found->second.costs.end()) return;
  cost->second.is_known = false;
  changed_.insert(key.ns);
}

void NamespaceShares::remove(const PolicyKey& key) {
  const auto found = namespaces_.find(key.ns);
  if (found == namespaces_.end()) return;
  auto cost = found->second.costs.extract(key);
  if (cost.empty()) return;
  unfollow(key, cost.mapped());
  if (!has_share(key)) reopened_.push_back(key);
  set_share(key, true);
  changed_.insert(key.ns);
}

void NamespaceShares::measure(Namespace& ns, const Compile& compile) {
  const RulesCost& most = budget_.of_a_namespace;
  RulesCost used;
  SetIds counted(0, hash_);
  for (auto& [key, cost] : ns.costs) {
    if (!used.fits(most)) {
      forget(key, cost);
      continue;
    }
    std::optional<CompiledRules> compiled;
    if (!cost.is_known) {
      compiled = compile(key);
      learn(cost, *compiled);
    }
    used += cost.own;
    used.rules += k_rules_of_a_place * cost.places;
    for (const auto& [id, of_set] : cost.sets)
      if (counted.insert(id).second) used += of_set;
    if (!used.fits(most)) {
      unfollow(key, cost);
    } else if (!cost.is_followed) {
      if (!compiled) compiled = compile(key);
      follow(key, cost, compiled->sets);
    }
  }
  ns.used = used;
}

void NamespaceShares::learn(Cost& cost, const CompiledRules& compiled) {
  cost.own = cost_of(compiled);
  cost.sets.clear();
  for (const auto& [id, spec] : compiled.sets)
    cost.sets.emplace_back(id, sets_.cost_of_following(spec));
  cost.is_known = true;
  cost.is_followed = false;
}

void NamespaceShares::follow(const PolicyKey& key, Cost& cost,
                             const std::map<std::string, SetSpec>& sets) {
  // The new before the old, so that a set that stays is not counted again.
  for (const auto& [id, spec] : sets) {
    sets_.follow(spec);
    ++namers_[id][key.ns];
  }
  unfollow(key, cost);
  for (const auto& [id, of_set] : cost.sets) cost.followed.push_back(id);
  cost.is_followed = true;
}

void NamespaceShares::unfollow(const PolicyKey& key, Cost& cost) {
  for (const std::string& id : std::exchange(cost.followed, {})) {
    sets_.unfollow(id);
    auto& namers = namers_.at(id);
    if (--namers.at(key.ns) == 0) namers.erase(key.ns);
    if (namers.empty()) namers_.erase(id);
  }
  cost.is_followed = false;
}

void NamespaceShares::forget(const PolicyKey& key, Cost& cost) {
  unfollow(key, cost);
  cost = {.places = cost.places};
}

RulesCost NamespaceShares::share() const {
  std::vector<size_t> rules, sets;
  for (const auto& [name, ns] : namespaces_) {
    rules.push_back(ns.used.rules);
    sets.push_back(ns.used.sets);
  }
  RulesCost share = budget_.of_a_namespace;
  share.rules = fair_share(std::move(rules), share.rules, budget_.of_a_node.rules);
  share.sets = fair_share(std::move(sets), share.sets, budget_.of_a_node.sets);
  return share;
}

void NamespaceShares::measure_anew_if_items_grew() {
  const size_t count = sets_.item_count();
  if (count <= 2 * item_count_ && 2 * count >= item_count_) return;
  item_count_ = count;
  for (auto& [name, ns] : namespaces_) {
    for (auto& [key, cost] : ns.costs) cost.is_known = false;
    changed_.insert(name);
  }
}

std::vector<PolicyKey> NamespaceShares::resolve(const Compile& compile) {
  measure_anew_if_items_grew();
  auto names = std::exchange(changed_, {});
  for (const auto& name : names) {
    const auto ns = namespaces_.find(name);
    measure(ns->second, compile);
    if (ns->second.costs.empty()) namespaces_.erase(ns);
  }
  for (const std::string& id : sets_.take_resized())
    if (const auto found = namers_.find(id); found != namers_.end())
      for (const auto& [name, policies] : found->second) names.insert(name);
  const bool is_another_share = !names.empty() && std::exchange(share_, share()) != share_;
  auto changed = std::exchange(reopened_, {});
  for (const auto& [name, ns] : namespaces_)
    if (is_another_share || names.contains(name)) close_what_does_not_fit(ns, changed);
  return changed;
}

void NamespaceShares::close_what_does_not_fit(const Namespace& ns,
                                              std::vector<PolicyKey>& changed) {
  RulesCost used;
  SetIds counted(0, hash_);
  bool fits = true;
  for (const auto& [key, cost] : ns.costs) {
    used += cost.own;
    used.rules += k_rules_of_a_place * cost.places;
    for (const std::string& id : cost.followed)
      if (counted.insert(id).second) used += {.sets = 1, .members = sets_.size_of(id)};
    fits = fits && cost.is_followed && used.fits(share_);
    if (fits == has_share(key)) continue;
    set_share(key, fits);
    changed.push_back(key);
  }
}

void NamespaceShares::set_share(const PolicyKey& key, bool has) {
  if (has) {
    closed_.erase(key);
    unprogrammed_.erase(key);
  } else {
    closed_.insert(key);
    unprogrammed_.set(key, {.key = key, .reason = reason_for_closed()});
  }
}

}  // namespace margay::policy
