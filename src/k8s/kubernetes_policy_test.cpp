// Kubernetes NetworkPolicy, as docs/policy.md ("Kubernetes NetworkPolicy") says it is meant.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "k8s/convert.h"

namespace margay::k8s {
namespace {

using api::kubernetes::LabelSelector;
using api::kubernetes::NetworkPolicy;
using api::kubernetes::NetworkPolicyPeer;
using api::kubernetes::NetworkPolicyPort;
using api::kubernetes::NetworkPolicyRule;
using policy::EntityMatch;
using policy::PortRange;
using policy::Prefix;
using policy::Rule;
using selector::Selector;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* k_any_pod = "projectcalico.org/orchestrator == 'k8s'";

Selector parsed(const std::string& text) { return *Selector::parse(text); }
Prefix net(std::string_view text) { return *Prefix::parse(text); }
api::IntOrString named(const char* name) { return std::string(name); }
api::IntOrString number(int64_t port) { return port; }

NetworkPolicy policy_with(std::vector<NetworkPolicyRule> ingress) {
  NetworkPolicy object;
  object.metadata.ns = "shop";
  object.metadata.name = "web";
  object.pod_selector.match_labels = {{"app", "web"}};
  object.ingress = std::move(ingress);
  object.policy_types = {"Ingress"};
  return object;
}

policy::Policy converted(const NetworkPolicy& object) {
  Warnings warnings;
  auto policy = policy_of(object, warnings);
  EXPECT_TRUE(policy);
  EXPECT_THAT(warnings, IsEmpty());
  return policy.value_or(policy::Policy{});
}

TEST(KubernetesPolicy, AppliesToThePodsOfItsNamespace) {
  const auto policy = converted(policy_with({}));
  EXPECT_EQ(policy.key, (policy::PolicyKey{.ns = "shop", .name = "knp.default.web"}));
  EXPECT_EQ(policy.order, 1000);
  EXPECT_EQ(policy.selector,
            parsed("projectcalico.org/namespace == 'shop' && projectcalico.org/orchestrator == "
                   "'k8s' && app == 'web'"));
}

TEST(KubernetesPolicy, EveryLabelSelectorOperator) {
  NetworkPolicy object = policy_with({});
  object.pod_selector = {.match_labels = {{"a", "1"}},
                         .match_expressions = {{"b", "In", {"2", "1"}},
                                               {"c", "NotIn", {"3"}},
                                               {"d", "Exists", {}},
                                               {"e", "DoesNotExist", {}}}};
  EXPECT_EQ(converted(object).selector,
            parsed("projectcalico.org/namespace == 'shop' && projectcalico.org/orchestrator == "
                   "'k8s' && a == '1' && b in {'1','2'} && !c in {'3'} && has(d) && !has(e)"));
}

TEST(KubernetesPolicy, Types) {
  struct Case {
    const char* name;
    std::vector<std::string> types;
    std::optional<std::vector<NetworkPolicyRule>> egress;
    bool ingress_applies, egress_applies;
  };
  using Rules = std::vector<NetworkPolicyRule>;
  const std::vector<Case> cases = {
      {"absent, no egress list", {}, std::nullopt, true, false},
      {"absent, an empty egress list", {}, Rules(), true, false},
      {"absent, an egress rule", {}, Rules(1), true, true},
      {"Ingress", {"Ingress"}, Rules(1), true, false},
      {"Egress", {"Egress"}, std::nullopt, false, true},
      {"both", {"Ingress", "Egress"}, std::nullopt, true, true},
  };
  for (const auto& [name, types, egress, ingress_applies, egress_applies] : cases) {
    NetworkPolicy object = policy_with({});
    object.policy_types = types;
    object.egress = egress;
    const auto policy = converted(object);
    EXPECT_EQ(policy.applies_ingress, ingress_applies) << name;
    EXPECT_EQ(policy.applies_egress, egress_applies) << name;
  }
}

TEST(KubernetesPolicy, Peers) {
  const LabelSelector client{.match_labels = {{"app", "client"}}};
  const LabelSelector team{.match_labels = {{"team", "a"}}};
  struct Case {
    const char* name;
    NetworkPolicyPeer peer;
    std::string selector;
  };
  const std::vector<Case> cases = {
      {"pods of the same namespace",
       {.pod_selector = client},
       "projectcalico.org/namespace == 'shop' && $pod && app == 'client'"},
      {"every pod of the same namespace",
       {.pod_selector = LabelSelector{}},
       "projectcalico.org/namespace == 'shop' && $pod"},
      {"every namespace",
       {.namespace_selector = LabelSelector{}},
       "has(projectcalico.org/namespace) && $pod"},
      {"some namespaces", {.namespace_selector = team}, "pcns.team == 'a' && $pod"},
      {"some pods of some namespaces",
       {.pod_selector = client, .namespace_selector = team},
       "pcns.team == 'a' && $pod && app == 'client'"},
      {"some pods of every namespace",
       {.pod_selector = client, .namespace_selector = LabelSelector{}},
       "has(projectcalico.org/namespace) && $pod && app == 'client'"},
      {"namespaces without a label",
       {.namespace_selector = LabelSelector{.match_expressions = {{"team", "NotIn", {"a"}}}}},
       "!pcns.team in {'a'} && $pod"},
  };
  for (auto [name, peer, selector] : cases) {
    selector.replace(selector.find("$pod"), 4, k_any_pod);
    const auto policy = converted(policy_with({{.ports = {}, .peers = {peer}}}));
    EXPECT_THAT(policy.ingress, ElementsAre(Rule{.source = {.selector = parsed(selector)}}))
        << name;
  }
}

TEST(KubernetesPolicy, IPBlockMasksHostBitsAndExcepts) {
  const NetworkPolicyPeer block{
      .ip_block = {{.cidr = "10.1.2.3/8", .except = {"10.1.0.0/16", "10.2.0.1/16"}}}};
  const auto policy = converted(policy_with({{.ports = {}, .peers = {block}}}));
  const EntityMatch expected{.nets = {net("10.0.0.0/8")},
                             .not_nets = {net("10.1.0.0/16"), net("10.2.0.0/16")}};
  EXPECT_THAT(policy.ingress, ElementsAre(Rule{.source = expected}));
}

TEST(KubernetesPolicy, NoPeersAndNoPortsMeanEverything) {
  EXPECT_THAT(converted(policy_with({{}})).ingress, ElementsAre(Rule{}));
}

TEST(KubernetesPolicy, Ports) {
  struct Case {
    const char* name;
    std::vector<NetworkPolicyPort> ports;
    std::vector<Rule> rules;
  };
  const auto tcp = [](EntityMatch destination) {
    return Rule{.protocol = policy::k_tcp, .destination = std::move(destination)};
  };
  const std::vector<Case> cases = {
      {"an empty entry is all TCP", {{}}, {tcp({})}},
      {"protocol alone", {{.protocol = "UDP"}}, {Rule{.protocol = policy::k_udp}}},
      {"a number, TCP by default", {{.port = number(80)}}, {tcp({.ports = {{80, 80}}})}},
      {"a name", {{.port = named("http")}}, {tcp({.named_ports = {"http"}})}},
      {"an SCTP name",
       {{.protocol = "SCTP", .port = named("sig")}},
       {Rule{.protocol = policy::k_sctp, .destination = {.named_ports = {"sig"}}}}},
      {"a range", {{.port = number(8000), .end_port = 8080}}, {tcp({.ports = {{8000, 8080}}})}},
      {"a range of one", {{.port = number(80), .end_port = 80}}, {tcp({.ports = {{80, 80}}})}},
      {"several of one protocol make one rule",
       {{.port = number(80)}, {.port = named("http")}, {.port = number(443)}},
       {tcp({.ports = {{80, 80}, {443, 443}}, .named_ports = {"http"}})}},
      {"all of a protocol swallows its ports", {{.port = number(80)}, {}}, {tcp({})}},
      {"one rule for each protocol",
       {{.port = number(53)}, {.protocol = "UDP", .port = number(53)}},
       {tcp({.ports = {{53, 53}}}),
        Rule{.protocol = policy::k_udp, .destination = {.ports = {{53, 53}}}}}},
  };
  for (const auto& [name, ports, rules] : cases)
    EXPECT_EQ(converted(policy_with({{.ports = ports, .peers = {}}})).ingress, rules) << name;
}

TEST(KubernetesPolicy, EgressIsTowardsThePeer) {
  NetworkPolicy object = policy_with({});
  object.policy_types = {"Egress"};
  object.egress = std::vector<NetworkPolicyRule>{
      {.ports = {{.port = named("http")}}, .peers = {{.pod_selector = LabelSelector{}}}}};
  const auto policy = converted(object);
  EXPECT_THAT(policy.ingress, IsEmpty());
  EXPECT_THAT(policy.egress,
              ElementsAre(Rule{.protocol = policy::k_tcp,
                               .destination = {.selector = parsed("projectcalico.org/namespace == "
                                                                  "'shop' && " +
                                                                  std::string(k_any_pod)),
                                               .named_ports = {"http"}}}));
}

TEST(KubernetesPolicy, RemembersWhichRuleEachOfItsOwnComesFrom) {
  const NetworkPolicyRule two_peers{
      .ports = {},
      .peers = {{.pod_selector = LabelSelector{}}, {.ip_block = {{.cidr = "10.0.0.0/8"}}}}};
  const NetworkPolicyRule broken{.ports = {{.protocol = "QUIC"}}, .peers = {}};
  Warnings warnings;
  RuleOrigins origins;
  ASSERT_TRUE(policy_of(policy_with({two_peers, broken, {}}), warnings, &origins));
  EXPECT_THAT(origins.ingress, ElementsAre(0, 0, 2));
  EXPECT_THAT(origins.egress, IsEmpty());
}

TEST(KubernetesPolicy, ARuleThatCannotBeReadIsLeftOutAndThePolicyStillIsolates) {
  struct Case {
    const char* name;
    NetworkPolicyRule rule;
    const char* warning;
  };
  const auto ports = [](NetworkPolicyPort port) {
    return NetworkPolicyRule{.ports = {std::move(port)}, .peers = {}};
  };
  const auto peers = [](NetworkPolicyPeer peer) {
    return NetworkPolicyRule{.ports = {}, .peers = {std::move(peer)}};
  };
  const LabelSelector bad_operator{.match_expressions = {{"a", "Like", {"b"}}}};
  const LabelSelector bad_value{.match_expressions = {{"a", "In", {"x'y\"z"}}}};
  const LabelSelector bad_key{.match_labels = {{"a) || all() || has(b", "c"}}};
  NetworkPolicyRule many;
  for (int i = 0; i < 1'000; ++i) {
    many.ports.push_back({.port = number(2 * i)});
    many.peers.push_back({.ip_block = {{.cidr = "10.0.0.0/8"}}});
  }
  NetworkPolicyRule names;
  for (int i = 0; i < 65; ++i)
    names.ports.push_back({.port = api::IntOrString("p" + std::to_string(i))});
  const std::vector<Case> cases = {
      {"endPort below port", ports({.port = number(80), .end_port = 79}),
       "spec.ingress[0].ports[0].endPort: Invalid value: 79: must not be below port"},
      {"endPort of a name", ports({.port = named("http"), .end_port = 90}),
       "spec.ingress[0].ports[0].endPort: Invalid value: 90: needs a numeric port"},
      {"endPort alone", ports({.end_port = 90}),
       "spec.ingress[0].ports[0].endPort: Invalid value: 90: needs a port"},
      {"a port that is none", ports({.port = number(70000)}),
       "spec.ingress[0].ports[0].port: Invalid value: 70000"},
      {"a protocol without ports", ports({.protocol = "ICMP"}),
       "spec.ingress[0].ports[0].protocol: Invalid value: \"ICMP\""},
      {"no CIDR", peers({.ip_block = {{.cidr = "10.0.0/8"}}}),
       "spec.ingress[0].from[0].ipBlock.cidr: Invalid value: \"10.0.0/8\""},
      {"an exception that is none", peers({.ip_block = {{.cidr = "10.0.0.0/8", .except = {"x"}}}}),
       "spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: \"x\""},
      {"an empty peer", peers({}), "spec.ingress[0].from[0]: Invalid value"},
      {"a peer that is two things",
       peers({.pod_selector = LabelSelector{}, .ip_block = {{.cidr = "10.0.0.0/8"}}}),
       "spec.ingress[0].from[0]: Invalid value"},
      {"an operator that is none", peers({.pod_selector = bad_operator}),
       "spec.ingress[0].from[0].podSelector.matchExpressions[0].operator"},
      {"a value that no label has", peers({.pod_selector = bad_value}),
       "spec.ingress[0].from[0].podSelector.matchExpressions[0]: Invalid value"},
      {"a key that no label has", peers({.namespace_selector = bad_key}),
       "spec.ingress[0].from[0].namespaceSelector.matchLabels: Invalid value"},
      {"a million ports of peers", many, "spec.ingress[0].ports: Invalid value"},
      {"more names than the kernel has room for", names, "a rule has at most 64 names of ports"},
  };
  for (const auto& [name, rule, warning] : cases) {
    Warnings warnings;
    const auto policy = policy_of(policy_with({rule, {}}), warnings);
    ASSERT_TRUE(policy) << name;
    EXPECT_TRUE(policy->applies_ingress) << name;
    EXPECT_THAT(policy->ingress, ElementsAre(Rule{})) << name << ": the good rule stays";
    EXPECT_THAT(warnings, ElementsAre(HasSubstr(warning))) << name;
  }
}

TEST(KubernetesPolicy, PortsAreKeptInAsFewRangesAsCanBe) {
  NetworkPolicyRule rule;
  for (int port = 1'000; port > 0; --port) rule.ports.push_back({.port = number(port)});
  rule.ports.push_back({.port = named("http")});
  rule.ports.push_back({.port = named("http")});
  const auto read = converted(policy_with({rule})).ingress.at(0).destination;
  EXPECT_THAT(read.ports, ElementsAre(PortRange{1, 1'000}));
  EXPECT_THAT(read.named_ports, ElementsAre("http"));
}

// Text that grew with each of them took minutes.
TEST(KubernetesPolicy, ManyLabelsAreReadAtOnce) {
  NetworkPolicy object = policy_with({});
  for (int i = 0; i < 50'000; ++i) object.pod_selector.match_labels["l" + std::to_string(i)] = "v";
  EXPECT_GT(converted(object).selector.text().size(), 500'000u);
}

TEST(KubernetesPolicy, IsRefusedWhenItsPodsCannotBeTold) {
  NetworkPolicy object = policy_with({});
  object.pod_selector.match_expressions = {{"a", "Like", {"b"}}};
  object.policy_types = {"Sideways"};
  Warnings warnings;
  const auto refused = policy_of(object, warnings);
  ASSERT_FALSE(refused);
  ASSERT_EQ(refused.error().fields.size(), 2U);
  EXPECT_EQ(refused.error().fields[0].path, "spec.podSelector.matchExpressions[0].operator");
  EXPECT_EQ(refused.error().fields[1].path, "spec.policyTypes[0]");
}

}  // namespace
}  // namespace margay::k8s
