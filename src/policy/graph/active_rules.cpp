#include "policy/graph/active_rules.h"

#include <type_traits>
#include <utility>

namespace margay::policy {
namespace {

std::string name_of(const PolicyKey& key) { return key.tier + "/" + key.id(); }
std::string name_of(const std::string& profile) { return profile; }

template <typename Key>
constexpr bool k_is_of_policies = std::is_same_v<Key, PolicyKey>;

}  // namespace

template <typename Key>
bool ActiveRules<Key>::set_source(const Key& key, const std::vector<Rule>& ingress,
                                  const std::vector<Rule>& egress) {
  PackedRules source(ingress, egress);
  const auto [entry, is_new] = sources_.try_emplace(key);
  if (!is_new && entry->second == source) return false;
  entry->second = std::move(source);
  if (users_.contains(key)) changed_.insert(key);
  return true;
}

template <typename Key>
void ActiveRules<Key>::remove_source(const Key& key) {
  sources_.erase(key);
  if (users_.contains(key)) changed_.insert(key);
}

template <typename Key>
void ActiveRules<Key>::acquire(const Key& key) {
  if (++users_[key] == 1) changed_.insert(key);
}

template <typename Key>
void ActiveRules<Key>::release(const Key& key) {
  const auto users = users_.find(key);
  if (--users->second > 0) return;
  users_.erase(users);
  changed_.insert(key);
}

template <typename Key>
void ActiveRules<Key>::compile() {
  for (const Key& key : std::exchange(changed_, {})) {
    if (!users_.contains(key)) {
      deactivate(key);
      continue;
    }
    CompiledRules rules = wanted(key);
    active_.set(key, {std::move(rules.rules)});
    exchange_sets(held_sets_[key], std::move(rules.sets));
  }
}

template <typename Key>
CompiledRules ActiveRules<Key>::wanted(const Key& key) const {
  if constexpr (k_is_of_policies<Key>)
    if (!shares_->has_share(key)) return closed_rules(kind_, name_of(key));
  return compiled(key);
}

template <typename Key>
CompiledRules ActiveRules<Key>::compiled(const Key& key) const {
  const auto found = sources_.find(key);
  const auto source = found == sources_.end() ? PackedRules::Rules() : found->second.unpack();
  return compile_rules(kind_, name_of(key), source.ingress, source.egress);
}

template <typename Key>
void ActiveRules<Key>::deactivate(const Key& key) {
  active_.erase(key);
  exchange_sets(held_sets_[key], {});
  held_sets_.erase(key);
}

template <typename Key>
void ActiveRules<Key>::exchange_sets(Sets& held, Sets wanted) {
  for (const auto& [id, spec] : wanted)
    if (!held.contains(id)) sets_.acquire(spec);
  for (const auto& [id, spec] : held)
    if (!wanted.contains(id)) sets_.release(id);
  held = std::move(wanted);
}

template class ActiveRules<PolicyKey>;
template class ActiveRules<std::string>;

}  // namespace margay::policy
