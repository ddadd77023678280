#include "vector/classifier/rule_part.h"

#include <algorithm>

namespace margay::vector {
namespace {

std::string place_of(const RulePartKey& key) {
  const auto& p = key.policy;
  return (key.is_profile ? "profile " + p.name : "policy " + p.tier + "/" + p.id()) +
         (key.direction == policy::Direction::ingress ? " ingress" : " egress");
}

}  // namespace

RulePart::RulePart(const RulePartKey& key)
    : direction_(key.direction), place_(std::make_shared<const std::string>(place_of(key))) {}

const std::vector<policy::ProgramRule>& RulePart::rules() const {
  return direction_ == policy::Direction::ingress ? rules_->ingress : rules_->egress;
}

bool RulePart::set_rules(Rules rules) {
  const Rules old = std::exchange(rules_, std::move(rules));
  if (old == nullptr || rules_ == nullptr) {
    forget();
    return old != rules_;
  }
  const auto& before = direction_ == policy::Direction::ingress ? old->ingress : old->egress;
  const auto& now = this->rules();
  const auto start = static_cast<size_t>(std::ranges::mismatch(before, now).in1 - before.begin());
  if (start == before.size() && start == now.size()) return false;
  const size_t least = std::min(before.size(), now.size());
  size_t end = 0;
  while (start + end < least &&
         before.rbegin()[static_cast<ptrdiff_t>(end)] == now.rbegin()[static_cast<ptrdiff_t>(end)])
    ++end;
  same_start_ = std::min(same_start_, start);
  same_end_ = std::min(same_end_, end);
  return true;
}

void RulePart::forget() {
  resolved_.clear();
  distrust();
}

bool RulePart::names_set(const std::string& id) const {
  if (rules_ == nullptr) return false;
  const auto names = [&id](const policy::ProgramEntity& entity) {
    const auto has = [&id](const std::vector<std::string>& ids) {
      return std::ranges::find(ids, id) != ids.end();
    };
    return has(entity.sets) || has(entity.not_sets) || has(entity.port_sets) ||
           has(entity.not_port_sets);
  };
  return std::ranges::any_of(rules(), [&](const policy::ProgramRule& rule) {
    return names(rule.source) || names(rule.destination);
  });
}

void RulePart::resolve(RuleAtoms& atoms, RuleCounters& counters) {
  if (rules_ == nullptr) return forget();
  const auto& now = rules();
  const auto old = std::move(resolved_);
  resolved_.clear();
  resolved_.reserve(now.size());
  for (size_t i = 0; i < now.size(); ++i) {
    if (i < same_start_)
      resolved_.push_back(old[i]);
    else if (now.size() - i <= same_end_)
      resolved_.push_back(old[old.size() - (now.size() - i)]);
    else
      resolved_.push_back(atoms.resolve(now[i], counters, *place_));
  }
  same_start_ = now.size();
  same_end_ = now.size();
}

}  // namespace margay::vector
