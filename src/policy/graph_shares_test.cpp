#include <fmt/format.h>
#include <gmock/gmock.h>

#include "policy/graph_fixture.h"
#include "policy/rules_cost.h"

namespace margay::policy {
namespace {

TEST(Graph, PoliciesThatTheirNamespaceHasNoShareForDenyAndAreTold) {
  auto budget = k_rules_budget;
  budget.of_a_namespace.sets = 5;
  Observed observed(budget);
  const auto web = pod("web", k_node, "10.65.0.2", {{"app", "web"}});
  observed.change(Change<WorkloadKey, WorkloadEndpoint>{web.key, web});
  const auto of_many_sets = [](const char* ns, const char* name) {
    Policy policy{.key = {.ns = ns, .name = name}, .selector = selector("all()")};
    for (int i = 0; i < 2; ++i)
      policy.ingress.push_back(
          {.source = {.selector = selector(fmt::format("{} == '{}'", name, i).c_str())}});
    return Change<PolicyKey, Policy>{policy.key, policy};
  };
  for (const char* name : {"a", "b", "c", "d"}) observed.change(of_many_sets("shop", name));
  observed.change(of_many_sets("", "of-everybody"));
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");
  const auto closed = [&] {
    std::string names;
    for (const auto& [key, told] : observed.program().unprogrammed)
      names += std::get<PolicyKey>(key).name + " ";
    return names;
  };
  EXPECT_EQ(closed(), "c d ");
  EXPECT_EQ(observed.program().sets.size(), 6U) << "none for those that deny";
  const auto& rules = observed.program().policies.at({.ns = "shop", .name = "c"});
  ASSERT_EQ(rules.ingress.size(), 1U);
  EXPECT_EQ(rules.ingress[0].action, Action::deny);

  observed.change(Change<PolicyKey, Policy>{{.ns = "shop", .name = "a"}, std::nullopt});
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(closed(), "d ");
}

TEST(Graph, PoliciesWhoseSetsHaveTooManyMembersDenyUntilTheyHaveFewer) {
  const auto allow = [](const char* name, const char* from) {
    Policy policy = allow_from(name, "app == 'web'", from);
    policy.key.ns = "shop";
    return Change<PolicyKey, Policy>{policy.key, policy};
  };
  const auto pods = [](int from, int to, const char* app) {
    std::vector<ModelChange> changes;
    for (int i = from; i < to; ++i) {
      const auto name = fmt::format("p{}", i), address = fmt::format("10.65.1.{}", i);
      const auto value = pod(name.c_str(), "node-b", address.c_str(), {{"app", app}});
      changes.emplace_back(Change<WorkloadKey, WorkloadEndpoint>{value.key, value});
    }
    return changes;
  };
  const auto closed = [](const Observed& observed) {
    std::string names;
    for (const auto& [key, told] : observed.program().unprogrammed)
      names += std::get<PolicyKey>(key).name + " ";
    return names;
  };
  const auto web = pod("web", k_node, "10.65.0.2", {{"app", "web"}});
  const std::vector<ModelChange> policies = {allow("a", "app == 'x'"), allow("b", "app == 'x'"),
                                             allow("c", "has(app)"), allow("d", "app == 'web'")};

  for (const bool pods_first : {true, false}) {
    auto budget = k_rules_budget;
    budget.of_a_namespace.members = 20;
    Observed observed(budget);
    observed.change(Change<WorkloadKey, WorkloadEndpoint>{web.key, web});
    observed.in_sync();
    if (pods_first)
      for (const auto& change : pods(1, 11, "x")) observed.change(change);
    for (const auto& change : policies) observed.change(change);
    ASSERT_EQ(observed.flush(), "");
    if (!pods_first)
      for (const auto& change : pods(1, 11, "x")) observed.change(change);
    ASSERT_EQ(observed.flush(), "");
    EXPECT_EQ(closed(observed), "c d ") << "10 for a and b, which share a set, and 11 for c";
    EXPECT_EQ(observed.program().sets.size(), 1U);

    for (const auto& change : pods(1, 2, "y")) observed.change(change);
    ASSERT_EQ(observed.flush(), "");
    EXPECT_EQ(closed(observed), "d ") << "9 and 11";
    observed.change(Change<WorkloadKey, WorkloadEndpoint>{pod("p2", "node-b", "", {}).key, {}});
    ASSERT_EQ(observed.flush(), "");
    EXPECT_EQ(closed(observed), "") << "8, 10 and 1";
    for (const auto& change : pods(20, 23, "z")) observed.change(change);
    ASSERT_EQ(observed.flush(), "");
    EXPECT_EQ(closed(observed), "c d ") << "8 and 13";
  }
}

TEST(FairShare, TakesFromThoseThatHaveMost) {
  EXPECT_EQ(fair_share({}, 10, 5), 10U);
  EXPECT_EQ(fair_share({3, 4}, 10, 7), 10U) << "all fit";
  EXPECT_EQ(fair_share({3, 4}, 10, 6), 3U);
  EXPECT_EQ(fair_share({100, 1, 100, 1}, 50, 42), 20U);
  EXPECT_EQ(fair_share({100, 100}, 10, 20), 10U) << "none has more than its own share anyway";
  EXPECT_EQ(fair_share({1, 1, 1}, 10, 2), 0U);
}

TEST(Graph, NamespacesThatTogetherHaveTooManyRulesAreClosedFromTheLargestOn) {
  auto budget = k_rules_budget;
  budget.of_a_node.rules = 200;
  Observed observed(budget);
  for (const char* ns : {"small", "large", "other"}) {
    auto web = pod(ns, k_node, ("10.65.0." + std::to_string(ns[0])).c_str(), {{"in", ns}});
    web.ns = ns;
    observed.change(Change<WorkloadKey, WorkloadEndpoint>{web.key, web});
    for (const char* name : {"a", "b"}) {
      Policy policy{.key = {.ns = ns, .name = name}, .selector = Selector::equals("in", ns)};
      policy.ingress.resize(ns == std::string("small") ? 5 : 20, Rule{.action = Action::deny});
      observed.change(Change<PolicyKey, Policy>{policy.key, policy});
    }
  }
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");
  EXPECT_THAT(observed.program().unprogrammed, testing::SizeIs(0)) << "46, 76 and 76";

  Policy more{.key = {.ns = "large", .name = "c"}, .selector = Selector::equals("in", "large")};
  more.ingress.resize(30, Rule{.action = Action::deny});
  observed.change(Change<PolicyKey, Policy>{more.key, more});
  ASSERT_EQ(observed.flush(), "");
  ASSERT_THAT(observed.program().unprogrammed, testing::SizeIs(1)) << "124, 76 and 46";
  EXPECT_TRUE(observed.program().unprogrammed.contains(more.key));
}

TEST(Graph, PoliciesThatApplyAgainAreAllNamed) {
  auto budget = k_rules_budget;
  budget.of_a_namespace.rules = 50;
  Observed observed(budget);
  const auto web = pod("web", k_node, "10.65.0.2", {{"app", "web"}});
  const Change<WorkloadKey, WorkloadEndpoint> comes{web.key, web}, goes{web.key, {}};
  const auto key = [](const char* name) { return PolicyKey{.ns = "shop", .name = name}; };
  observed.change(comes);
  for (const char* name : {"a", "b", "c", "d"})
    observed.change(Change<PolicyKey, Policy>{
        key(name),
        Policy{.key = key(name), .selector = selector("app == 'web'"), .ingress = {{}}}});
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(observed.program().unprogrammed.size(), 2U);
  observed.change(goes);
  ASSERT_EQ(observed.flush(), "");
  observed.change(Change<PolicyKey, Policy>{key("a"), {}});
  ASSERT_EQ(observed.flush(), "");
  observed.change(comes);
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(observed.program().unprogrammed.size(), 1U);
  observed.change(goes);
  observed.change(Change<PolicyKey, Policy>{key("b"), {}});
  ASSERT_EQ(observed.flush(), "");
  observed.change(comes);
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(observed.program().workloads.at(web.key).tiers.at(0).ingress.size(), 2U);
}

TEST(Graph, ASetThatSeveralPoliciesNameCostsOnceHoweverTheShareWasReached) {
  auto budget = k_rules_budget;
  budget.of_a_namespace.sets = 41;
  Observed observed(budget);
  const auto web = pod("web", k_node, "10.65.0.2", {{"app", "web"}});
  observed.change(Change<WorkloadKey, WorkloadEndpoint>{web.key, web});
  const auto set = [&](const char* name, const char* label, int sets) {
    Policy policy{.key = {.ns = "shop", .name = name}, .selector = selector("app == 'web'")};
    for (int i = 0; i < sets; ++i)
      policy.ingress.push_back(
          {.source = {.selector = Selector::equals(label, std::to_string(i))}});
    observed.change(Change<PolicyKey, Policy>{policy.key, policy});
  };
  set("a", "own", 2);
  set("b", "shared", 40);
  set("c", "shared", 40);
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(observed.program().unprogrammed.size(), 2U);
  set("a", "own", 1);
  ASSERT_EQ(observed.flush(), "");
  EXPECT_TRUE(observed.program().unprogrammed.empty());
}

TEST(Graph, AnAddressThatComesLaterIsCountedThoughNobodyKeepsTheMembers) {
  auto budget = k_rules_budget;
  budget.of_a_namespace.members = 2;
  Observed observed(budget);
  const auto set = [&](const char* name, const char* address) {
    const auto value = pod(name, "node-b", address, {{"app", "x"}});
    observed.change(Change<WorkloadKey, WorkloadEndpoint>{value.key, value});
    return value;
  };
  Policy policy = allow_from("a", "app == 'web'", "app == 'x'");
  policy.key.ns = "shop";
  observed.change(Change<PolicyKey, Policy>{policy.key, policy});
  const auto web = pod("web", k_node, "10.65.0.2", {{"app", "web"}});
  observed.change(Change<WorkloadKey, WorkloadEndpoint>{web.key, web});
  const auto first = set("p1", "10.65.1.1");
  set("p2", "10.65.1.2");
  auto third = set("p3", "10.65.1.3");
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(observed.program().unprogrammed.size(), 1U) << "3 members";
  third.addresses.push_back(*IPAddress::parse("fd00::3"));
  observed.change(Change<WorkloadKey, WorkloadEndpoint>{third.key, third});
  ASSERT_EQ(observed.flush(), "");
  observed.change(Change<WorkloadKey, WorkloadEndpoint>{first.key, {}});
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(observed.program().unprogrammed.size(), 1U) << "still 3";
  third.addresses.clear();
  observed.change(Change<WorkloadKey, WorkloadEndpoint>{third.key, third});
  ASSERT_EQ(observed.flush(), "");
  EXPECT_TRUE(observed.program().unprogrammed.empty());
}

// A policy without rules costs a place in the chain of each endpoint that it applies to.
TEST(Graph, PoliciesThatApplyInTooManyPlacesDenyAndThoseBehindAreNotNamed) {
  auto budget = k_rules_budget;
  budget.of_a_namespace.rules = 200;
  Observed observed(budget);
  const auto add_pod = [&](int number) {
    const auto name = fmt::format("p{}", number), address = fmt::format("10.65.0.{}", number);
    const auto value = pod(name.c_str(), k_node, address.c_str(), {{"app", "web"}});
    observed.change(Change<WorkloadKey, WorkloadEndpoint>{value.key, value});
  };
  for (int i = 1; i <= 5; ++i) add_pod(i);
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
    const Policy policy{.key = {.ns = "shop", .name = name}, .selector = selector("app == 'web'")};
    observed.change(Change<PolicyKey, Policy>{policy.key, policy});
  }
  const auto closed = [&observed] { return observed.program().unprogrammed.size(); };
  const auto named = [&observed] {
    return observed.program().workloads.begin()->second.tiers.at(0).ingress.size();
  };
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(closed(), 0U) << "6 policies of 16, 5 pods, 2 rules each: 156";
  EXPECT_EQ(named(), 6U);
  for (int i = 6; i <= 10; ++i) add_pod(i);
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(closed(), 1U) << "216";
  EXPECT_EQ(named(), 6U) << "the closed one is the last";
  for (int i = 11; i <= 20; ++i) add_pod(i);
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(closed(), 3U) << "56 each";
  EXPECT_EQ(named(), 4U) << "three, and one that denies";
  EXPECT_EQ(observed.program().policies.size(), 4U);
  for (int i = 6; i <= 20; ++i)
    observed.change(Change<WorkloadKey, WorkloadEndpoint>{
        pod(fmt::format("p{}", i).c_str(), k_node, "10.65.0.1", {}).key, {}});
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(closed(), 0U);
  EXPECT_EQ(named(), 6U);
}

// Nothing is looked for, and no selector kept, for what would take too much of either.
TEST(Graph, SelectorsThatTakeTooMuchToLookForDenyBeforeTheyAreLookedFor) {
  const auto closed_after = [](size_t RulesCost::* what, size_t most, int pods) {
    auto budget = k_rules_budget;
    budget.of_a_namespace.*what = most;
    Observed observed(budget);
    const auto web = pod("web", k_node, "10.65.0.2", {{"app", "web"}});
    observed.change(Change<WorkloadKey, WorkloadEndpoint>{web.key, web});
    for (const char* name : {"a", "b", "c", "d"}) {
      Policy policy = allow_from(name, "app == 'web'", "");
      policy.key.ns = "shop";
      // Which no endpoint satisfies, though any could.
      policy.ingress.at(0).source.selector =
          selector((std::string("!has(") + name + ") && !has(common)").c_str());
      observed.change(Change<PolicyKey, Policy>{policy.key, policy});
    }
    observed.in_sync();
    // What tests take depends on how the index looks for matches, which the reference knows not.
    const std::string equal =
        what == &RulesCost::tests ? "the program is not that of the model" : "";
    observed.flush();
    for (int i = 0; i < pods; ++i) {
      const auto other = pod(fmt::format("p{}", i).c_str(), "node-b",
                             fmt::format("10.65.1.{}", i).c_str(), {{"common", "x"}});
      observed.change(Change<WorkloadKey, WorkloadEndpoint>{other.key, other});
    }
    const std::string difference = observed.flush();
    const size_t closed = observed.program().unprogrammed.size();
    EXPECT_EQ(difference, closed > 0 ? equal : "");
    EXPECT_EQ(observed.program().sets.size(), 4 - closed);
    return closed;
  };
  EXPECT_EQ(closed_after(&RulesCost::selectors, 1'000, 10), 0U);
  EXPECT_EQ(closed_after(&RulesCost::selectors, 80, 10), 1U) << "three times 23 bytes";
  EXPECT_EQ(closed_after(&RulesCost::selectors, 10, 10), 4U);
  // A set: two tests, and as much as four for each endpoint.
  EXPECT_EQ(closed_after(&RulesCost::tests, 4 * 60, 9), 0U) << "10 endpoints take 60";
  EXPECT_EQ(closed_after(&RulesCost::tests, 3 * 60, 9), 1U);
  EXPECT_EQ(closed_after(&RulesCost::tests, 59, 9), 4U);
  EXPECT_EQ(closed_after(&RulesCost::tests, 3 * 60, 6), 0U) << "7 endpoints: 42 each";
}

TEST(RulesCost, CountsWhatPortsOfBothSidesMultiplyTo) {
  Rule rule{.protocol = k_tcp};
  for (int i = 0; i < 64; ++i) rule.source.named_ports.push_back(fmt::format("s{}", i));
  for (uint16_t i = 0; i < 64; ++i)
    rule.destination.ports.push_back({uint16_t(1000 + 2 * i), uint16_t(1000 + 2 * i)});
  rule.destination.not_nets = {*Prefix::parse("10.0.0.0/8"), *Prefix::parse("192.0.2.0/24")};
  const auto cost = cost_of(compile_rules(RulesOf::policy, "p", {rule}, {Rule{}}));
  EXPECT_EQ(cost.rules, 16 + 64U * 64 + 2 + 1) << "an Allow has a return behind it";
  rule.destination.not_ports = rule.destination.ports;
  EXPECT_EQ(cost_of(compile_rules(RulesOf::policy, "p", {rule}, {})).rules,
            16 + 64U * 64 + 1 + 64 + 3);
  EXPECT_EQ(cost.sets, 1U) << "sets of named ports are counted where they are shared";
  EXPECT_EQ(cost.members, 2U);
}

}  // namespace
}  // namespace margay::policy
