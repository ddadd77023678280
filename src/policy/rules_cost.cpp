#include "policy/rules_cost.h"

#include <fmt/format.h>

#include <algorithm>

namespace margay::policy {
namespace {

constexpr size_t k_ports_of_a_rule = 15;  // iptables' multiport; a range counts twice

size_t alternatives(const ProgramEntity& entity) {
  const size_t lists = (2 * entity.ports.size() + k_ports_of_a_rule - 1) / k_ports_of_a_rule;
  return std::max<size_t>(1, lists + entity.port_sets.size());
}

size_t net_sets(const ProgramEntity& entity) {
  return (entity.nets.size() > 1 ? 1 : 0) + (entity.not_nets.empty() ? 0 : 1);
}

}  // namespace

RulesCost cost_of(const CompiledRules& compiled) {
  RulesCost cost{.sets = compiled.sets.size()};
  for (const auto* rules : {&compiled.rules->ingress, &compiled.rules->egress})
    for (const ProgramRule& rule : *rules) {
      cost.rules += alternatives(rule.source) * alternatives(rule.destination);
      cost.sets += net_sets(rule.source) + net_sets(rule.destination);
    }
  return cost;
}

CompiledRules closed_rules(RulesOf place, const std::string& name) {
  const std::vector<Rule> deny{{.action = Action::deny}};
  return compile_rules(place, name, deny, deny);
}

std::string reason_for_closed() {
  return fmt::format(
      "denies everything: the policies of its namespace need more than {} rules or {} sets of a "
      "node",
      k_share_of_a_namespace.rules, k_share_of_a_namespace.sets);
}

}  // namespace margay::policy
