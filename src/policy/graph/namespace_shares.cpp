#include "policy/graph/namespace_shares.h"

#include <string_view>
#include <unordered_set>
#include <utility>

namespace margay::policy {

void NamespaceShares::set_places(const PolicyKey& key, size_t places) {
  if (key.ns.empty()) return;
  if (places == 0) return remove(key);
  const auto [cost, is_new] = namespaces_[key.ns].costs.try_emplace(key);
  cost->second.places = places;
  changed_.insert(key.ns);
  if (is_new) touched_.insert(key);
}

void NamespaceShares::touch(const PolicyKey& key) {
  const auto found = namespaces_.find(key.ns);
  if (found != namespaces_.end() && found->second.costs.contains(key)) touched_.insert(key);
}

void NamespaceShares::remove(const PolicyKey& key) {
  const auto found = namespaces_.find(key.ns);
  if (found == namespaces_.end()) return;
  const auto cost = found->second.costs.extract(key);
  if (cost.empty()) return;
  unfollow(key, cost.mapped());
  set_share(key, true);
  touched_.erase(key);
  changed_.insert(key.ns);
}

void NamespaceShares::set_rules(const PolicyKey& key, const CompiledRules& compiled) {
  Cost& cost = namespaces_.at(key.ns).costs.at(key);
  const Cost before =
      std::exchange(cost, {.places = cost.places, .own = cost_of(compiled), .sets = {}});
  // Followed before the old ones are let go, so that a set that stays is not counted again.
  for (const auto& [id, spec] : compiled.sets) {
    cost.sets.push_back(id);
    sets_.follow(spec);
    ++namers_[id][key.ns];
  }
  unfollow(key, before);
  changed_.insert(key.ns);
}

void NamespaceShares::unfollow(const PolicyKey& key, const Cost& cost) {
  for (const std::string& id : cost.sets) {
    sets_.unfollow(id);
    auto& namers = namers_.at(id);
    if (--namers.at(key.ns) == 0) namers.erase(key.ns);
    if (namers.empty()) namers_.erase(id);
  }
}

template <typename Visit>
void NamespaceShares::add_up(const Namespace& ns, const Visit& visit) const {
  RulesCost used;
  std::unordered_set<std::string_view> counted;
  for (const auto& [key, cost] : ns.costs) {
    used += cost.own;
    used.rules += k_rules_of_a_place * cost.places;
    for (const std::string& id : cost.sets)
      if (counted.insert(id).second) used += {.sets = 1, .members = sets_.size_of(id)};
    visit(key, used);
  }
}

RulesCost NamespaceShares::share() const {
  std::vector<size_t> rules, sets;
  for (const auto& [name, ns] : namespaces_) {
    rules.push_back(ns.used.rules);
    sets.push_back(ns.used.sets);
  }
  const auto& [of_a_namespace, of_a_node] = budget_;
  return {.rules = fair_share(std::move(rules), of_a_namespace.rules, of_a_node.rules),
          .sets = fair_share(std::move(sets), of_a_namespace.sets, of_a_node.sets),
          .members = of_a_namespace.members};
}

std::vector<PolicyKey> NamespaceShares::resolve(const Compile& compile) {
  for (const PolicyKey& key : std::exchange(touched_, {})) set_rules(key, compile(key));
  for (const std::string& id : sets_.take_resized())
    if (const auto found = namers_.find(id); found != namers_.end())
      for (const auto& [ns, policies] : found->second) changed_.insert(ns);
  std::vector<PolicyKey> changed;
  if (changed_.empty()) return changed;
  const auto names = std::exchange(changed_, {});
  for (const auto& name : names) {
    Namespace& ns = namespaces_.at(name);
    ns.used = {};
    add_up(ns, [&ns](const PolicyKey&, const RulesCost& used) { ns.used = used; });
    if (ns.costs.empty()) namespaces_.erase(name);
  }
  const bool is_another_share = std::exchange(share_, share()) != share_;
  for (const auto& [name, ns] : namespaces_)
    if (is_another_share || names.contains(name)) close_what_does_not_fit(ns, changed);
  return changed;
}

void NamespaceShares::close_what_does_not_fit(const Namespace& ns,
                                              std::vector<PolicyKey>& changed) {
  add_up(ns, [&](const PolicyKey& key, const RulesCost& used) {
    const bool fits = used.fits(share_);
    if (fits == has_share(key)) return;
    set_share(key, fits);
    changed.push_back(key);
  });
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
