#pragma once

// The rules of one policy or profile in one direction: a part of the rule lists of all endpoints
// that it applies to. Control thread only.

#include <compare>
#include <memory>
#include <string>
#include <vector>

#include "policy/program.h"
#include "vector/classifier/rule_atoms.h"

namespace margay::vector {

struct RulePartKey {
  bool is_profile = false;
  policy::PolicyKey policy;  // of a profile only the name
  policy::Direction direction = policy::Direction::ingress;
  auto operator<=>(const RulePartKey&) const = default;

  static RulePartKey profile(const std::string& name, policy::Direction direction) {
    return {true, {.tier = {}, .ns = {}, .name = name}, direction};
  }
};

class RulePart {
 public:
  using Rules = std::shared_ptr<const policy::ProgramRules>;

  explicit RulePart(const RulePartKey& key);

  // Null: it is not there. Returns whether that changes anything in this direction.
  bool set_rules(Rules rules);
  bool is_present() const { return rules_ != nullptr; }
  bool names_set(const std::string& id) const;
  // "policy default/a ingress"
  const std::shared_ptr<const std::string>& place() const { return place_; }

  // Brings `resolved` up to date; rules that stay are not resolved again, unless sets they name
  // came or went (`distrust`).
  void resolve(RuleAtoms& atoms, RuleCounters& counters);
  void distrust() { same_start_ = same_end_ = 0; }
  void forget();
  const std::vector<std::shared_ptr<const ResolvedRule>>& resolved() const { return resolved_; }

 private:
  const std::vector<policy::ProgramRule>& rules() const;

  policy::Direction direction_;
  std::shared_ptr<const std::string> place_;
  Rules rules_;
  // How many rules at the start and at the end of `resolved_` are still right.
  size_t same_start_ = 0, same_end_ = 0;
  std::vector<std::shared_ptr<const ResolvedRule>> resolved_;
};

}  // namespace margay::vector
