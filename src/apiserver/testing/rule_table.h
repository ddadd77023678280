#pragma once

// For tests: an authorizer of a few rules, each for a user or a group.

#include <algorithm>
#include <string>
#include <vector>

#include "apiserver/authorizer.h"

namespace margay::apiserver {

class RuleTable final : public Authorizer {
 public:
  struct Row {
    std::string subject;  // a user's name or a group
    std::string ns;       // empty: everywhere
    Rules rules;
  };
  explicit RuleTable(std::vector<Row> rows) : rows_(std::move(rows)) {}

  Decision authorize(const User& user, const Attributes& asked) const override {
    for (const auto& row : rows_)
      if (is_about(row, user, asked.ns) && allows(row.rules, asked))
        return {.allowed = true, .reason = "a rule for " + row.subject};
    return {};
  }
  Rules rules(const User& user, std::string_view ns) const override {
    Rules out;
    for (const auto& row : rows_) {
      if (!is_about(row, user, ns)) continue;
      std::ranges::copy(row.rules.resources, std::back_inserter(out.resources));
      std::ranges::copy(row.rules.paths, std::back_inserter(out.paths));
    }
    return out;
  }

 private:
  static bool is_about(const Row& row, const User& user, std::string_view ns) {
    const bool same = row.subject == user.name ||
                      std::ranges::find(user.groups, row.subject) != user.groups.end();
    return same && (row.ns.empty() || row.ns == ns);
  }
  static bool lists(const std::vector<std::string>& values, const std::string& value) {
    return std::ranges::any_of(values, [&](const auto& one) { return one == "*" || one == value; });
  }
  static bool allows(const Rules& rules, const Attributes& asked) {
    if (!asked.is_resource)
      return std::ranges::any_of(rules.paths, [&](const PathRule& rule) {
        return lists(rule.verbs, asked.verb) && lists(rule.paths, asked.path);
      });
    const auto resource =
        asked.subresource.empty() ? asked.resource : asked.resource + "/" + asked.subresource;
    return std::ranges::any_of(rules.resources, [&](const ResourceRule& rule) {
      return lists(rule.verbs, asked.verb) && lists(rule.api_groups, asked.api_group) &&
             lists(rule.resources, resource) &&
             (rule.names.empty() || lists(rule.names, asked.name));
    });
  }

  const std::vector<Row> rows_;
};

}  // namespace margay::apiserver
