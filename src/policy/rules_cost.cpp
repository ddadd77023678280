#include "policy/rules_cost.h"

#include <fmt/format.h>

#include <algorithm>

namespace margay::policy {
namespace {

size_t alternatives(const ProgramEntity& entity) {
  return std::max<size_t>(1, entity.ports.size() + entity.port_sets.size());
}

// Of ports that are not meant each may become a rule, with three around them.
size_t exceptions(const ProgramRule& rule) {
  size_t count = 0;
  for (const auto* side : {&rule.source, &rule.destination})
    count += side->not_ports.size() + side->not_port_sets.size();
  return count == 0 ? 0 : count + 3;
}

// What follows a rule that only marks the packet.
size_t returns(const ProgramRule& rule) {
  return rule.action == Action::allow || rule.action == Action::pass ? 1 : 0;
}

void add_net_sets(const ProgramEntity& entity, RulesCost& cost) {
  if (entity.nets.size() > 1) cost += {.sets = 1, .members = entity.nets.size()};
  if (entity.not_nets.size() > 1 || (entity.not_nets.size() == 1 && entity.nets.size() == 1))
    cost += {.sets = 1, .members = entity.not_nets.size()};
}

}  // namespace

RulesCost& RulesCost::operator+=(const RulesCost& other) {
  rules += other.rules;
  sets += other.sets;
  members += other.members;
  selectors += other.selectors;
  tests += other.tests;
  return *this;
}

bool RulesCost::fits(const RulesCost& share) const {
  return rules <= share.rules && sets <= share.sets && members <= share.members &&
         selectors <= share.selectors && tests <= share.tests;
}

RulesCost cost_of(const CompiledRules& compiled) {
  RulesCost cost{.rules = k_rules_of_a_policy};
  for (const auto* rules : {&compiled.rules->ingress, &compiled.rules->egress})
    for (const ProgramRule& rule : *rules) {
      cost.rules += alternatives(rule.source) * alternatives(rule.destination) + exceptions(rule) +
                    returns(rule);
      add_net_sets(rule.source, cost);
      add_net_sets(rule.destination, cost);
    }
  return cost;
}

size_t fair_share(std::vector<size_t> uses, size_t most, size_t of_all) {
  std::ranges::sort(uses);
  for (size_t i = 0; i < uses.size(); ++i) {
    const size_t each = of_all / (uses.size() - i);
    const size_t used = std::min(uses[i], most);
    if (used > each) return each;
    of_all -= used;
  }
  return most;
}

CompiledRules closed_rules(RulesOf place, const std::string& name) {
  const std::vector<Rule> deny{{.action = Action::deny}};
  return compile_rules(place, name, deny, deny);
}

std::string reason_for_closed() {
  const auto& [of_a_namespace, of_a_node] = k_rules_budget;
  return fmt::format(
      "denies everything: the policies of its namespace need more than their share of a node, {} "
      "rules, {} sets, {} members of sets, {} bytes of their selectors or {} tests of labels (less "
      "where all namespaces have more than {} rules or {} sets)",
      of_a_namespace.rules, of_a_namespace.sets, of_a_namespace.members, of_a_namespace.selectors,
      of_a_namespace.tests, of_a_node.rules, of_a_node.sets);
}

}  // namespace margay::policy
