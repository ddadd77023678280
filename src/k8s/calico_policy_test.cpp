// projectcalico.org policies, profiles and sets, as docs/policy.md says they are meant.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "k8s/convert.h"
#include "k8s/rule.h"

namespace margay::k8s {
namespace {

using api::EntityRule;
using policy::Action;
using policy::EntityMatch;
using policy::PortRange;
using policy::Prefix;
using policy::Rule;
using selector::Selector;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Selector parsed(std::string_view text) { return *Selector::parse(text); }
Prefix net(std::string_view text) { return *Prefix::parse(text); }

api::NetworkPolicy namespaced(api::NetworkPolicySpec spec) {
  api::NetworkPolicy object;
  object.metadata.ns = "shop";
  object.metadata.name = "web";
  object.spec = std::move(spec);
  return object;
}

api::GlobalNetworkPolicy global(api::GlobalNetworkPolicySpec spec) {
  api::GlobalNetworkPolicy object;
  object.metadata.name = "everyone";
  object.spec = std::move(spec);
  return object;
}

policy::Policy converted(const auto& object) {
  Warnings warnings;
  auto policy = policy_of(object, warnings);
  EXPECT_TRUE(policy);
  EXPECT_THAT(warnings, IsEmpty());
  return policy.value_or(policy::Policy{});
}

Rule converted_rule(const api::Rule& rule, const char* ns) {
  const auto policy =
      *ns ? converted(namespaced({.ingress = {rule}})) : converted(global({.ingress = {rule}}));
  EXPECT_EQ(policy.ingress.size(), 1U);
  return policy.ingress.at(0);
}

TEST(NetworkPolicy, AppliesToItsNamespace) {
  auto object = namespaced({.order = 10, .selector = "app == 'web' || app == 'api'"});
  const auto policy = converted(object);
  EXPECT_EQ(policy.key, (policy::PolicyKey{.ns = "shop", .name = "web"}));
  EXPECT_EQ(policy.order, 10);
  EXPECT_EQ(policy.selector,
            parsed("projectcalico.org/namespace == 'shop' && (app == 'web' || app == 'api')"));

  object.spec.service_account_selector = "team == 'a'";
  EXPECT_EQ(converted(object).selector,
            parsed("projectcalico.org/namespace == 'shop' && (app == 'web' || app == 'api') && "
                   "pcsa.team == 'a'"));
  object.spec = {};
  EXPECT_EQ(converted(object).selector, parsed("projectcalico.org/namespace == 'shop'"));
  EXPECT_EQ(converted(object).order, std::nullopt);
}

TEST(NetworkPolicy, OfAllServiceAccountsIsForThoseWithoutOneToo) {
  const auto policy = converted(namespaced({.service_account_selector = "all()"}));
  EXPECT_EQ(policy.selector, parsed("projectcalico.org/namespace == 'shop'"));
}

TEST(NetworkPolicy, StoredWithItsTierIsKnownWithout) {
  auto object = namespaced({});
  object.metadata.name = "default.web";
  EXPECT_EQ(converted(object).key.name, "web");
}

TEST(GlobalNetworkPolicy, AppliesByLabelsNamespacesAndServiceAccounts) {
  struct Case {
    const char* selector;
    const char* namespace_selector;
    const char* service_account_selector;
    const char* expected;
  };
  const Case cases[] = {
      {"", "", "", "all()"},
      {"all()", "", "", "all()"},
      {"app == 'web'", "", "", "app == 'web'"},
      {"", "all()", "", "has(projectcalico.org/namespace)"},
      {"", "team == 'a'", "", "pcns.team == 'a'"},
      {"has(app)", "team != 'a'", "has(x)", "has(app) && pcns.team != 'a' && has(pcsa.x)"},
      // Every all() of what is joined, and nothing that is not written.
      {"all()", "team == 'a'", "", "has(projectcalico.org/namespace) && pcns.team == 'a'"},
      {"all()", "", "!has(x)", "has(projectcalico.org/serviceaccount) && !has(pcsa.x)"},
      {"", "", "!has(x)", "!has(pcsa.x)"},
      {"", "", "all()", "has(projectcalico.org/serviceaccount)"},
      {"app == 'web' || all()", "", "has(x)",
       "(app == 'web' || has(projectcalico.org/serviceaccount)) && has(pcsa.x)"},
      {"!all()", "has(y)", "", "!has(projectcalico.org/namespace) && has(pcns.y)"},
      {"all()", "all()", "all()",
       "has(projectcalico.org/namespace) && has(projectcalico.org/namespace) && "
       "has(projectcalico.org/serviceaccount)"},
  };
  for (const auto& [selector, namespaces, accounts, expected] : cases) {
    const auto policy = converted(global({.selector = selector,
                                          .service_account_selector = accounts,
                                          .namespace_selector = namespaces}));
    EXPECT_EQ(policy.selector, parsed(expected)) << expected;
    EXPECT_EQ(policy.key, (policy::PolicyKey{.name = "everyone"}));
  }
}

TEST(GlobalNetworkPolicy, KeepsTheStagesOfHostEndpoints) {
  const auto policy = converted(global({.do_not_track = true, .apply_on_forward = true}));
  EXPECT_TRUE(policy.do_not_track);
  EXPECT_TRUE(policy.apply_on_forward);
  EXPECT_FALSE(policy.pre_dnat);
}

TEST(NetworkPolicy, TypesFollowFromTheRules) {
  struct Case {
    const char* name;
    api::NetworkPolicySpec spec;
    bool ingress, egress;
  };
  const api::Rule allow{.action = "Allow"};
  const std::vector<Case> cases = {
      {"no rules", {}, true, false},
      {"ingress rules", {.ingress = {allow}}, true, false},
      {"egress rules", {.egress = {allow}}, false, true},
      {"both", {.ingress = {allow}, .egress = {allow}}, true, true},
      {"said otherwise", {.ingress = {allow}, .types = {"Egress"}}, false, true},
  };
  for (const auto& [name, spec, ingress, egress] : cases) {
    const auto policy = converted(namespaced(spec));
    EXPECT_EQ(policy.applies_ingress, ingress) << name;
    EXPECT_EQ(policy.applies_egress, egress) << name;
  }
}

// docs/policy.md: P && E; else in a namespace N && E; else E.
TEST(Rule, SelectorsOfASideCombine) {
  const api::ServiceAccountMatch accounts{.names = {"b", "a"}, .selector = "tier == '1'"};
  struct Case {
    const char* name;
    EntityRule entity;
    const char* in_namespace;  // null: not asked
    const char* global;
  };
  const std::vector<Case> cases = {
      {"nothing", {}, nullptr, nullptr},
      {"nets alone", {.nets = {"10.0.0.0/8"}}, nullptr, nullptr},
      {"selector",
       {.selector = "has(a)"},
       "projectcalico.org/namespace == 'shop' && has(a)",
       "has(a)"},
      {"all()", {.selector = "all()"}, "projectcalico.org/namespace == 'shop'", "all()"},
      {"a choice stays together",
       {.selector = "has(a) || has(b)"},
       "projectcalico.org/namespace == 'shop' && (has(a) || has(b))",
       "has(a) || has(b)"},
      {"notSelector alone",
       {.not_selector = "has(a)"},
       "projectcalico.org/namespace == 'shop'",
       nullptr},
      {"namespaces", {.namespace_selector = "team == 'a'"}, "pcns.team == 'a'", "pcns.team == 'a'"},
      {"every namespace",
       {.namespace_selector = "all()"},
       "has(projectcalico.org/namespace)",
       "has(projectcalico.org/namespace)"},
      {"no namespace",
       {.namespace_selector = "global()"},
       "!has(projectcalico.org/namespace)",
       "!has(projectcalico.org/namespace)"},
      {"no namespace, by label",
       {.selector = "has(a)", .namespace_selector = "global()"},
       "!has(projectcalico.org/namespace) && has(a)",
       "!has(projectcalico.org/namespace) && has(a)"},
      {"namespaces and labels",
       {.selector = "has(a)", .namespace_selector = "has(n)"},
       "has(pcns.n) && has(a)",
       "has(pcns.n) && has(a)"},
      {"service accounts",
       {.service_accounts = accounts},
       "projectcalico.org/namespace == 'shop' && pcsa.tier == '1' && "
       "projectcalico.org/serviceaccount in {'a','b'}",
       "pcsa.tier == '1' && projectcalico.org/serviceaccount in {'a','b'}"},
      {"empty service accounts",
       {.service_accounts = api::ServiceAccountMatch{}},
       nullptr,
       nullptr},
      {"service accounts and labels",
       {.selector = "has(a)", .service_accounts = api::ServiceAccountMatch{.names = {"a"}}},
       "projectcalico.org/namespace == 'shop' && projectcalico.org/serviceaccount in {'a'} && "
       "has(a)",
       "projectcalico.org/serviceaccount in {'a'} && has(a)"},
  };
  const auto expected = [](const char* text) {
    return text ? std::optional(parsed(text)) : std::nullopt;
  };
  for (const auto& [name, entity, in_namespace, global_text] : cases) {
    const api::Rule rule{.action = "Allow", .source = entity};
    EXPECT_EQ(converted_rule(rule, "shop").source.selector, expected(in_namespace)) << name;
    EXPECT_EQ(converted_rule(rule, "").source.selector, expected(global_text)) << name;
    const api::Rule towards{.action = "Allow", .destination = entity};
    EXPECT_EQ(converted_rule(towards, "").destination.selector, expected(global_text)) << name;
  }
}

TEST(Rule, EveryFieldIsRead) {
  const api::Rule rule{
      .action = "Deny",
      .ip_version = 4,
      .protocol = std::string("tcp"),
      .not_protocol = int64_t{17},
      .source = {.nets = {"10.1.2.3/8"}, .not_nets = {"10.1.0.0/16"}, .not_selector = "has(x)"},
      .destination = {.ports = {int64_t{80}, std::string("8080:8090"), std::string("http"),
                                std::string("443")},
                      .not_ports = {std::string("admin"), int64_t{81}}},
  };
  const Rule expected{
      .action = Action::deny,
      .family = policy::IPFamily::v4,
      .protocol = policy::k_tcp,
      .not_protocol = policy::k_udp,
      .source = {.nets = {net("10.0.0.0/8")},
                 .not_nets = {net("10.1.0.0/16")},
                 .not_selector = parsed("has(x)")},
      .destination = {.ports = {{80, 80}, {443, 443}, {8080, 8090}},
                      .named_ports = {"http"},
                      .not_ports = {{81, 81}},
                      .not_named_ports = {"admin"}},
  };
  EXPECT_EQ(converted_rule(rule, ""), expected);
}

TEST(Rule, ProtocolsByNameInAnyCaseAndByNumber) {
  const std::pair<api::IntOrString, uint8_t> cases[] = {
      {std::string("TCP"), 6},     {std::string("udp"), 17},     {std::string("ICMP"), 1},
      {std::string("ICMPv6"), 58}, {std::string("SCTP"), 132},   {std::string("UDPLite"), 136},
      {std::string("47"), 47},     {int64_t{255}, uint8_t{255}},
  };
  for (const auto& [protocol, value] : cases)
    EXPECT_EQ(converted_rule({.action = "Allow", .protocol = protocol}, "").protocol, value);
}

TEST(Rule, ICMPByTypeAndCode) {
  const auto icmp = [](api::ICMPFields fields) {
    return converted_rule({.action = "Allow", .protocol = std::string("ICMP"), .icmp = fields}, "")
        .icmp;
  };
  EXPECT_EQ(icmp({.type = 8}), (policy::ICMPMatch{.type = 8}));
  EXPECT_EQ(icmp({.type = 3, .code = 1}), (policy::ICMPMatch{.type = 3, .code = 1}));
  EXPECT_EQ(icmp({}), std::nullopt);
}

TEST(Rule, ActionsAreKept) {
  const std::pair<const char*, Action> cases[] = {{"Allow", Action::allow},
                                                  {"Deny", Action::deny},
                                                  {"Pass", Action::pass},
                                                  {"Log", Action::log}};
  for (const auto& [name, action] : cases)
    EXPECT_EQ(converted_rule({.action = name}, "").action, action);
}

TEST(Rule, WithHTTPSaysThatItMatchesNothing) {
  Warnings warnings;
  const auto policy = policy_of(
      namespaced({.ingress = {{.action = "Allow", .http = api::HTTPMatch{.methods = {"GET"}}}}}),
      warnings);
  ASSERT_TRUE(policy);
  EXPECT_TRUE(policy->ingress.at(0).has_http);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("spec.ingress[0].http")));
}

TEST(Rule, ThatCannotBeReadNeverOpensAnything) {
  struct Case {
    const char* name;
    api::Rule rule;
    const char* warning;
  };
  const std::vector<Case> cases = {
      {"selector", {.source = {.selector = "a = 'b'"}}, "spec.ingress[0].source.selector"},
      {"global() out of place",
       {.source = {.selector = "global()"}},
       "spec.ingress[0].source.selector: Invalid value: \"global()\""},
      {"notSelector", {.source = {.not_selector = "("}}, "spec.ingress[0].source.notSelector"},
      {"namespaceSelector",
       {.destination = {.namespace_selector = "("}},
       "spec.ingress[0].destination.namespaceSelector"},
      {"serviceAccounts",
       {.source = {.service_accounts = api::ServiceAccountMatch{.selector = "("}}},
       "spec.ingress[0].source.serviceAccounts.selector"},
      {"net", {.source = {.nets = {"10.0.0.0/8", "x"}}}, "spec.ingress[0].source.nets[1]"},
      {"port",
       {.destination = {.ports = {std::string("90:80")}}},
       "spec.ingress[0].destination.ports[0]"},
      {"protocol", {.protocol = std::string("QUIC")}, "spec.ingress[0].protocol"},
      {"ipVersion", {.ip_version = 5}, "spec.ingress[0].ipVersion"},
      {"ICMP type", {.icmp = api::ICMPFields{.type = 255}}, "spec.ingress[0].icmp.type"},
  };
  const Rule nothing{.never_matches = true};
  const Rule everything{.action = Action::deny};
  for (auto [name, rule, warning] : cases) {
    for (const char* action : {"Allow", "Deny"}) {
      rule.action = action;
      Warnings warnings;
      const auto policy = policy_of(namespaced({.ingress = {rule, {.action = "Allow"}}}), warnings);
      ASSERT_TRUE(policy) << name;
      EXPECT_THAT(policy->ingress,
                  ElementsAre(rule.action == "Deny" ? everything : nothing, Rule{}))
          << name;
      EXPECT_THAT(warnings, ElementsAre(HasSubstr(warning))) << name;
    }
  }
  Warnings warnings;
  const auto policy = policy_of(namespaced({.ingress = {{.action = "Open"}}}), warnings);
  EXPECT_THAT(policy->ingress, ElementsAre(everything)) << "an action nobody knows";
}

TEST(Policy, IsRefusedWhenItsEndpointsCannotBeTold) {
  Warnings warnings;
  const auto refused = policy_of(global({.selector = "a ==",
                                         .types = {"Sideways"},
                                         .service_account_selector = "b ==",
                                         .namespace_selector = "c =="}),
                                 warnings);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::ErrorCode::invalid);
  std::vector<std::string> paths;
  for (const auto& field : refused.error().fields) paths.push_back(field.path);
  EXPECT_THAT(paths, testing::UnorderedElementsAre("spec.types[0]", "spec.selector",
                                                   "spec.serviceAccountSelector",
                                                   "spec.namespaceSelector"));
}

TEST(Profile, KeepsLabelsAndRules) {
  api::Profile object;
  object.metadata.name = "p";
  object.spec = {.ingress = {{.action = "Allow"}},
                 .egress = {{.action = "Deny"}},
                 .labels_to_apply = {{"a", "b"}}};
  Warnings warnings;
  const auto profile = profile_of(object, warnings);
  ASSERT_TRUE(profile);
  EXPECT_EQ(profile->name, "p");
  EXPECT_EQ(profile->labels_to_apply, (policy::Labels{{"a", "b"}}));
  EXPECT_THAT(profile->ingress, ElementsAre(Rule{}));
  EXPECT_THAT(profile->egress, ElementsAre(Rule{.action = Action::deny}));
  // Where no Kubernetes makes them, Calico's controllers write these.
  for (const char* name : {"kns.shop", "ksa.shop.web"}) {
    object.metadata.name = name;
    EXPECT_TRUE(profile_of(object, warnings)) << name;
  }
  object.metadata.name = "projectcalico-default-allow";
  EXPECT_FALSE(profile_of(object, warnings));
}

TEST(NetworkSet, IsInItsNamespace) {
  api::NetworkSet object;
  object.metadata.ns = "shop";
  object.metadata.name = "partners";
  object.metadata.labels = {{"role", "partner"}};
  object.spec.nets = {"192.0.2.1", "198.51.100.7/24"};
  Warnings warnings;
  const auto set = network_set_of(object, warnings);
  EXPECT_THAT(warnings, IsEmpty());
  EXPECT_EQ(set.key.id(), "shop/partners");
  EXPECT_EQ(set.labels,
            (policy::Labels{{"projectcalico.org/namespace", "shop"}, {"role", "partner"}}));
  EXPECT_THAT(set.profiles, ElementsAre("kns.shop"));
  EXPECT_THAT(set.nets, ElementsAre(net("192.0.2.1/32"), net("198.51.100.0/24")));
}

TEST(NetworkSet, CannotClaimAnotherNamespaceNorToBeAPod) {
  api::NetworkSet object;
  object.metadata.ns = "shop";
  object.metadata.name = "partners";
  object.metadata.labels = {{"projectcalico.org/namespace", "bank"},
                            {"projectcalico.org/orchestrator", "k8s"},
                            {"projectcalico.org/serviceaccount", "admin"},
                            {"pcns.team", "a"}};
  Warnings warnings;
  EXPECT_EQ(network_set_of(object, warnings).labels,
            (policy::Labels{{"projectcalico.org/namespace", "shop"}, {"pcns.team", "a"}}))
      << "pcns.* of sets counts, as in Calico v3.19";
}

TEST(GlobalNetworkSet, IsInNone) {
  api::GlobalNetworkSet object;
  object.metadata.name = "partners";
  object.metadata.labels = {{"role", "partner"}, {"projectcalico.org/namespace", "shop"}};
  object.spec.nets = {"2001:db8::/32"};
  Warnings warnings;
  const auto set = network_set_of(object, warnings);
  EXPECT_EQ(set.key.id(), "partners");
  EXPECT_EQ(set.labels, (policy::Labels{{"role", "partner"}}));
  EXPECT_THAT(set.profiles, IsEmpty());
  EXPECT_THAT(warnings, IsEmpty());
}

// A list of those who are denied keeps the others.
TEST(GlobalNetworkSet, LeavesOutWhatCannotBeReadWithAWarning) {
  api::GlobalNetworkSet object;
  object.spec.nets = {"2001:db8::/32", "nowhere", "192.0.2.0/24", "::ffff:203.0.113.7"};
  Warnings warnings;
  EXPECT_THAT(network_set_of(object, warnings).nets,
              ElementsAre(net("2001:db8::/32"), net("192.0.2.0/24")));
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("spec.nets[1]"), HasSubstr("spec.nets[3]")));
}

// A rule that cannot be read opens nothing: neither itself nor the rules below it.
TEST(Rule, ThatCannotBeReadIsClosed) {
  for (const auto& [action, denies] :
       {std::pair("Allow", false), {"Log", false}, {"Deny", true}, {"Pass", true}}) {
    Warnings warnings;
    const api::Rule bad{.action = action, .source = {.nets = {"bad"}}};
    const auto rules = read_rules({bad}, "", "spec.ingress", warnings);
    ASSERT_EQ(rules.size(), 1u);
    EXPECT_EQ(rules[0].action == Action::deny, denies) << action;
    EXPECT_EQ(rules[0].never_matches, !denies) << action;
    EXPECT_THAT(warnings, ElementsAre(HasSubstr(denies ? "denies everything" : "matches nothing")));
  }
}

TEST(Rule, WithTooManyPairsOfPortsIsClosed) {
  api::Rule rule{.action = "Allow"};
  for (int64_t port = 0; port < 1'200; port += 2)
    for (auto* ports : {&rule.source.ports, &rule.destination.ports}) ports->emplace_back(port);
  Warnings warnings;
  EXPECT_TRUE(read_rules({rule}, "", "spec.ingress", warnings).at(0).never_matches);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("spec.ingress[0].destination.ports")));
}

}  // namespace
}  // namespace margay::k8s
