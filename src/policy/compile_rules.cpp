#include "policy/compile_rules.h"

#include <fmt/core.h>

#include <algorithm>

#include "policy/digest.h"
#include "policy/rule_scope.h"
#include "policy/rule_text.h"

namespace margay::policy {
namespace {

constexpr size_t k_rule_id_length = 16;
constexpr size_t k_set_digest_length = 38;  // as long as a selector's id, which also names sets

// Whether nets are their whole family, which is the rule's own already.
bool cover_family(const std::vector<Prefix>& nets) {
  return std::ranges::any_of(nets, [](const Prefix& net) { return net.length() == 0; });
}

class RuleCompiler {
 public:
  RuleCompiler(RulesOf place, const std::string& name) : place_(place), name_(name) {}

  std::vector<ProgramRule> compile(Direction direction, const std::vector<Rule>& rules);
  std::map<std::string, SetSpec> take_sets() && { return std::move(sets_); }

 private:
  ProgramRule compile(const Rule& rule);
  ProgramEntity compile(const EntityMatch& entity, uint8_t protocol);
  std::string set_of(const Selector& selector);
  std::vector<std::string> port_sets(const std::vector<std::string>& names,
                                     const EntityMatch& entity, uint8_t protocol);

  RulesOf place_;
  const std::string& name_;
  std::map<std::string, SetSpec> sets_;
};

std::vector<ProgramRule> RuleCompiler::compile(Direction direction,
                                               const std::vector<Rule>& rules) {
  std::vector<ProgramRule> compiled;
  std::map<std::string, size_t> occurrences;  // tells rules that say the same apart
  for (const Rule& rule : rules) {
    ProgramRule& last = compiled.emplace_back(compile(rule));
    const std::string text = rule_text(last);
    const std::string identity = fmt::format(
        "{} {} {} {}\n{}", place_ == RulesOf::policy ? "policy" : "profile", name_,
        direction == Direction::ingress ? "ingress" : "egress", occurrences[text]++, text);
    last.id = digest(identity, k_rule_id_length);
  }
  return compiled;
}

ProgramRule RuleCompiler::compile(const Rule& rule) {
  const RuleScope scope = scope_of(rule);
  ProgramRule compiled;
  compiled.action =
      place_ == RulesOf::profile && rule.action == Action::pass ? Action::deny : rule.action;
  if (!scope.never.empty() || cover_family(rule.source.not_nets) ||
      cover_family(rule.destination.not_nets)) {
    compiled.never_matches = true;
    return compiled;
  }
  compiled.family = scope.family;
  compiled.protocol = rule.protocol;
  compiled.not_protocol = rule.not_protocol;
  compiled.icmp = rule.icmp;
  compiled.not_icmp = rule.not_icmp;
  compiled.source = compile(rule.source, rule.protocol.value_or(0));
  compiled.destination = compile(rule.destination, rule.protocol.value_or(0));
  return compiled;
}

ProgramEntity RuleCompiler::compile(const EntityMatch& entity, uint8_t protocol) {
  ProgramEntity compiled{.nets = cover_family(entity.nets) ? std::vector<Prefix>() : entity.nets,
                         .not_nets = entity.not_nets,
                         .ports = entity.ports,
                         .not_ports = entity.not_ports};
  compiled.port_sets = port_sets(entity.named_ports, entity, protocol);
  compiled.not_port_sets = port_sets(entity.not_named_ports, entity, protocol);
  // A set of named ports holds only addresses that satisfy the selector.
  const bool selector_is_implied = !compiled.port_sets.empty() && compiled.ports.empty();
  if (entity.selector && !selector_is_implied) compiled.sets = {set_of(*entity.selector)};
  if (entity.not_selector) compiled.not_sets = {set_of(*entity.not_selector)};
  return compiled;
}

std::string RuleCompiler::set_of(const Selector& selector) {
  SetSpec spec{.id = selector.id(), .type = SetType::nets, .selector = selector};
  return sets_.try_emplace(spec.id, spec).first->first;
}

std::vector<std::string> RuleCompiler::port_sets(const std::vector<std::string>& names,
                                                 const EntityMatch& entity, uint8_t protocol) {
  const Selector among = entity.selector.value_or(Selector());
  std::vector<std::string> ids;
  for (const std::string& name : names) {
    SetSpec spec{
        .type = SetType::named_ports, .selector = among, .port_name = name, .protocol = protocol};
    spec.id =
        "n:" + digest(fmt::format("{} {} {}", among.id(), protocol, name), k_set_digest_length);
    ids.push_back(sets_.try_emplace(spec.id, spec).first->first);
  }
  return ids;
}

}  // namespace

CompiledRules compile_rules(RulesOf place, const std::string& name,
                            const std::vector<Rule>& ingress, const std::vector<Rule>& egress) {
  RuleCompiler compiler(place, name);
  ProgramRules rules{.ingress = compiler.compile(Direction::ingress, ingress),
                     .egress = compiler.compile(Direction::egress, egress)};
  return {std::make_shared<const ProgramRules>(std::move(rules)), std::move(compiler).take_sets()};
}

}  // namespace margay::policy
