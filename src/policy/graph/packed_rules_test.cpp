#include "policy/graph/packed_rules.h"

#include <gtest/gtest.h>

#include "policy/generate.h"

namespace margay::policy {
namespace {

void expect_same(const std::vector<Rule>& ingress, const std::vector<Rule>& egress) {
  const PackedRules packed(ingress, egress);
  const auto rules = packed.unpack();
  EXPECT_EQ(rules.ingress, ingress);
  EXPECT_EQ(rules.egress, egress);
  EXPECT_EQ(packed, PackedRules(ingress, egress));
  auto other = egress;
  other.emplace_back();
  EXPECT_NE(packed, PackedRules(ingress, other));
}

TEST(PackedRules, ComeOutAsTheyWentIn) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    const Model model = Generator(seed).model();
    for (const auto& [key, policy] : model.policies) expect_same(policy.ingress, policy.egress);
    for (const auto& [name, profile] : model.profiles) expect_same(profile.ingress, profile.egress);
  }
}

TEST(PackedRules, KeepEverythingARuleCanSay) {
  Rule rule{.action = Action::pass,
            .family = IPFamily::v6,
            .protocol = k_icmpv6,
            .not_protocol = k_sctp,
            .icmp = ICMPMatch{.type = 128, .code = 0},
            .not_icmp = ICMPMatch{.type = 3, .code = {}},
            .has_http = true,
            .never_matches = true};
  EntityMatch& source = rule.source;
  source.nets = {*Prefix::parse("2001:db8::/32"), *Prefix::parse("0.0.0.0/0")};
  source.not_nets = {*Prefix::parse("192.0.2.7/32")};
  source.selector = Selector::equals("quoted", "it's");
  source.not_selector = !Selector::has("a") || Selector::in("b", {"x", ""});
  source.ports = {{0, 65535}};
  source.named_ports = {"", "http"};
  source.not_ports = {{80, 80}, {443, 444}};
  source.not_named_ports = {"metrics"};
  expect_same({rule, Rule{}}, {});
  expect_same({}, {rule});
  std::swap(rule.source, rule.destination);
  expect_same({rule}, {Rule{.action = Action::log}, rule});
}

TEST(PackedRules, KeepSelectorsHoweverDeepTheyNest) {
  Selector deep = Selector::has("a");
  for (int i = 0; i < 500; ++i)
    deep = i % 2 == 0 ? deep || Selector::has("b") : deep && Selector::has("c");
  Rule rule;
  rule.source.selector = deep;
  rule.destination.not_selector = deep && Selector::has("d");
  expect_same({rule, Rule{}}, {rule});
}

// Of what is converted from objects some cannot be written by a user, and need not parse.
TEST(PackedRules, KeepSelectorsWhoseTextDoesNotParse) {
  for (const auto& selector :
       {Selector::has(std::string(512, 'a')).with_key_prefix("pcns."),
        Selector::equals("a", "x'y\"z"), Selector::in("a", {"a\"'} || all() || z in {'", "b"}),
        Selector::in("a", {}), !Selector::has("a b")}) {
    SCOPED_TRACE(selector.text());
    Rule rule;
    rule.source.selector = selector;
    expect_same({rule}, {});
  }
}

}  // namespace
}  // namespace margay::policy
