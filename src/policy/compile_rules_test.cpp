#include "policy/compile_rules.h"

#include <gtest/gtest.h>

#include <set>

#include "policy/rule_text.h"

namespace margay::policy {
namespace {

ProgramRule compiled(const Rule& rule, RulesOf place = RulesOf::policy) {
  return compile_rules(place, "default/p", {rule}, {}).rules->ingress.at(0);
}

Prefix net(const char* text) { return *Prefix::parse(text); }

Rule rule_with(const EntityMatch& destination, std::optional<uint8_t> protocol = {}) {
  Rule rule;
  rule.protocol = protocol;
  rule.destination = destination;
  return rule;
}

EntityMatch chosen_by(const char* selector) {
  EntityMatch entity;
  entity.selector = *Selector::parse(selector);
  return entity;
}

TEST(CompileRules, MakesImpliedConditionsExplicit) {
  EXPECT_EQ(rule_text(compiled(rule_with({.nets = {net("10.0.0.0/8")}}))),
            "allow family=4 destination.nets=10.0.0.0/8");
  EXPECT_EQ(rule_text(compiled({.protocol = k_icmpv6, .not_icmp = ICMPMatch{128, 0}})),
            "allow family=6 protocol=58 not_icmp=128/0");
  EXPECT_EQ(rule_text(compiled(rule_with({.ports = {{80, 80}}}))), "allow never");
  EXPECT_EQ(rule_text(compiled({.has_http = true})), "allow never");
  EXPECT_EQ(rule_text(compiled({.action = Action::deny, .has_http = true})), "deny");
}

TEST(CompileRules, KeepsTheExpressibleAsItIs) {
  Rule rule =
      rule_with({.nets = {net("fd00::/64")}, .ports = {{80, 90}}, .not_ports = {{85, 85}}}, k_tcp);
  rule.not_protocol = k_udp;
  rule.source.not_nets = {net("fd00::1/128")};
  EXPECT_EQ(rule_text(compiled(rule)),
            "allow family=6 protocol=6 not_protocol=17 source.not_nets=fd00::1/128 "
            "destination.nets=fd00::/64 destination.ports=80-90 destination.not_ports=85-85");
}

TEST(CompileRules, TurnsSelectorsIntoSets) {
  Rule rule = rule_with(chosen_by("a == 'b'"));
  rule.source.not_selector = rule.destination.selector;
  const CompiledRules result = compile_rules(RulesOf::policy, "default/p", {rule}, {rule});
  const std::string id = rule.destination.selector->id();
  EXPECT_EQ(result.rules->ingress[0].destination.sets, std::vector{id});
  EXPECT_EQ(result.rules->ingress[0].source.not_sets, std::vector{id});
  ASSERT_EQ(result.sets.size(), 1u);
  EXPECT_EQ(result.sets.at(id).type, SetType::nets);
}

TEST(CompileRules, NamedPortsAreSetsOfTheirOwn) {
  EntityMatch entity = chosen_by("a == 'b'");
  entity.named_ports = {"http"};
  const CompiledRules result =
      compile_rules(RulesOf::policy, "default/p", {rule_with(entity, k_tcp)}, {});
  const ProgramEntity& destination = result.rules->ingress[0].destination;
  EXPECT_TRUE(destination.sets.empty()) << "the port set implies the selector";
  ASSERT_EQ(destination.port_sets.size(), 1u);
  const SetSpec& spec = result.sets.at(destination.port_sets[0]);
  EXPECT_EQ(spec.type, SetType::named_ports);
  EXPECT_EQ(spec.port_name, "http");
  EXPECT_EQ(spec.protocol, k_tcp);
  EXPECT_EQ(spec.selector.text(), entity.selector->text());

  entity.ports = {{80, 80}};
  const ProgramRule both = compiled(rule_with(entity, k_tcp));
  EXPECT_EQ(both.destination.sets.size(), 1u) << "a number is asked beside the name";
}

TEST(CompileRules, EachPortNameProtocolAndSelectorHasItsOwnSet) {
  std::set<std::string> ids;
  for (const char* selector : {"a == 'b'", "all()"})
    for (const char* name : {"http", "dns"})
      for (const uint8_t protocol : {k_tcp, k_udp}) {
        EntityMatch entity = chosen_by(selector);
        entity.named_ports = {name};
        const ProgramRule rule = compiled(rule_with(entity, protocol));
        ids.insert(rule.destination.port_sets.begin(), rule.destination.port_sets.end());
      }
  EXPECT_EQ(ids.size(), 8u);
}

TEST(CompileRules, ARuleThatMatchesNothingNeedsNoSets) {
  Rule rule = rule_with(chosen_by("a == 'b'"));
  rule.never_matches = true;
  EXPECT_TRUE(compile_rules(RulesOf::policy, "default/p", {rule}, {}).sets.empty());
}

TEST(CompileRules, PassInAProfileDenies) {
  EXPECT_EQ(compiled({.action = Action::pass}, RulesOf::policy).action, Action::pass);
  EXPECT_EQ(compiled({.action = Action::pass}, RulesOf::profile).action, Action::deny);
}

// ---- rule ids ---------------------------------------------------------------------------------

std::vector<std::string> ids(const std::vector<ProgramRule>& rules) {
  std::vector<std::string> all;
  for (const ProgramRule& rule : rules) all.push_back(rule.id);
  return all;
}

TEST(RuleId, IsStableAcrossReleases) {  // data planes keep counters under it
  EXPECT_EQ(compiled({}).id, "xkhMPv2RQt4vWmK9");
}

TEST(RuleId, TellsPlacesApart) {
  std::set<std::string> all;
  for (const RulesOf place : {RulesOf::policy, RulesOf::profile})
    for (const char* name : {"default/p", "default/q"}) {
      const CompiledRules result = compile_rules(place, name, {{}, {}}, {{}});
      for (const auto* rules : {&result.rules->ingress, &result.rules->egress})
        for (const std::string& id : ids(*rules)) {
          EXPECT_EQ(id.size(), 16u);
          EXPECT_EQ(id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                         "0123456789-_"),
                    std::string::npos);
          all.insert(id);
        }
    }
  EXPECT_EQ(all.size(), 12u);
}

TEST(RuleId, OutlivesItsNeighbours) {
  const Rule tcp{.protocol = k_tcp};
  const Rule udp{.protocol = k_udp};
  const auto before = compile_rules(RulesOf::policy, "default/p", {tcp}, {});
  const auto after = compile_rules(RulesOf::policy, "default/p", {udp, tcp, udp}, {});
  EXPECT_EQ(before.rules->ingress[0].id, after.rules->ingress[1].id);
}

}  // namespace
}  // namespace margay::policy
