#include "policy/evaluate.h"

#include <gtest/gtest.h>

#include "policy/evaluate_cluster.h"

namespace margay::policy {
namespace {

using namespace testing;

TEST(EffectiveLabels, AreItsOwnThenThoseOfTheFirstProfileThatGivesThem) {
  Model model;
  model.profiles["a"] = {.name = "a", .labels_to_apply = {{"x", "a"}, {"y", "a"}, {"z", "a"}}};
  model.profiles["b"] = {.name = "b", .labels_to_apply = {{"y", "b"}, {"z", "b"}}};
  const Labels expected = {{"x", "a"}, {"y", "a"}, {"z", "own"}};
  EXPECT_EQ(effective_labels(model, {{"z", "own"}}, {"a", "not-there", "b"}), expected);
}

TEST(EndpointOf, FindsTheOwnerOfAnAddress) {
  Model model = cluster();
  EXPECT_EQ(endpoint_of(model, ip("fd00::2"))->key.workload, "shop/server");
  EXPECT_EQ(endpoint_of(model, ip("203.0.113.1")), nullptr);

  WorkloadKey twin{"node-b", "k8s", "shop/a-twin", "eth0"};
  model.workloads[twin] = {.key = twin, .addresses = {ip("10.65.0.2")}};
  EXPECT_EQ(endpoint_of(model, ip("10.65.0.2"))->key.node, "node-a") << "the first by key";
}

// ---- decisions --------------------------------------------------------------------------------

Rule allow() { return {.action = Action::allow}; }
Rule deny() { return {.action = Action::deny}; }
Rule pass() { return {.action = Action::pass}; }
Rule log() { return {.action = Action::log}; }
// A rule that the packet of these cases does not match.
Rule elsewhere(Action action) { return {.action = action, .protocol = k_udp}; }

Policy ingress_policy(PolicyKey key, std::optional<double> order, std::vector<Rule> rules) {
  return {.key = std::move(key), .order = order, .ingress = std::move(rules)};
}
PolicyKey in_tier(const char* tier, const char* name) { return {tier, "", name}; }

// Given these policies and profiles on `server`, when `client` connects, then this decides.
struct DecisionCase {
  const char* name;
  std::vector<Policy> policies;
  std::vector<Profile> profiles;
  const char* decision;
};

void PrintTo(const DecisionCase& c, std::ostream* out) { *out << c.name; }

std::string text(const Decision& d) {
  const std::string verdict = d.verdict == Verdict::allow ? "allow" : "deny";
  const std::string rule = " rule " + std::to_string(d.rule);
  const std::string policy = d.policy ? d.tier + "/" + d.policy->id() : "";
  switch (d.by) {
    case Decision::By::policy_rule:
      return verdict + " by " + policy + rule;
    case Decision::By::end_of_tier:
      return verdict + " at the end of " + policy;
    case Decision::By::profile_rule:
      return verdict + " by profile " + d.profile + rule;
    case Decision::By::no_profile_matched:
      return verdict + " as no profile matched";
    case Decision::By::endpoint_down:
      return verdict + " as the endpoint is down";
  }
  return {};
}

class Decisions : public ::testing::TestWithParam<DecisionCase> {
 protected:
  static Model given(const DecisionCase& c) {
    Model model = cluster();
    model.tiers["security"] = {"security", 10};
    model.tiers["default"] = {"default", 1000};
    model.tiers["lenient"] = {"lenient", 2000, Action::pass};
    WorkloadEndpoint& server = model.workloads.at({"node-a", "k8s", "shop/server", "eth0"});
    for (const Policy& policy : c.policies) model.policies[policy.key] = policy;
    server.profiles.clear();
    for (const Profile& profile : c.profiles) {
      model.profiles[profile.name] = profile;
      server.profiles.push_back(profile.name);
    }
    return model;
  }
};

TEST_P(Decisions, AreMadeInOrder) {
  const Model model = given(GetParam());
  const WorkloadEndpoint& server = *endpoint_of(model, ip("10.65.0.2"));
  EXPECT_EQ(text(evaluate(model, server, Direction::ingress, k_web)), GetParam().decision);
}

const PolicyKey k_a = in_tier("default", "a");
const PolicyKey k_b = in_tier("default", "b");
const PolicyKey k_s = in_tier("security", "s");
const Profile k_open = {.name = "open", .ingress = {Rule{}}};

const DecisionCase k_decisions[] = {
    {"no policy, no profile", {}, {}, "deny as no profile matched"},
    {"no policy: the profile decides", {}, {k_open}, "allow by profile open rule 0"},
    {"the first rule that matches decides",
     {ingress_policy(k_a, 1, {elsewhere(Action::deny), allow(), deny()})},
     {},
     "allow by default/a rule 1"},
    {"deny", {ingress_policy(k_a, 1, {deny(), allow()})}, {k_open}, "deny by default/a rule 0"},
    {"log goes on", {ingress_policy(k_a, 1, {log(), allow()})}, {}, "allow by default/a rule 1"},
    {"log alone decides nothing",
     {ingress_policy(k_a, 1, {log()})},
     {k_open},
     "deny at the end of default/a"},
    {"no rule matches: end of tier",
     {ingress_policy(k_a, 1, {elsewhere(Action::allow)})},
     {k_open},
     "deny at the end of default/a"},
    {"a policy without rules isolates",
     {ingress_policy(k_a, 1, {})},
     {k_open},
     "deny at the end of default/a"},
    {"the second policy is asked when the first is silent",
     {ingress_policy(k_a, 1, {}), ingress_policy(k_b, 2, {allow()})},
     {},
     "allow by default/b rule 0"},
    {"the end of the tier names the last policy asked",
     {ingress_policy(k_a, 2, {}), ingress_policy(k_b, 1, {})},
     {},
     "deny at the end of default/a"},
    {"order comes before name",
     {ingress_policy(k_a, 2, {deny()}), ingress_policy(k_b, 1, {allow()})},
     {},
     "allow by default/b rule 0"},
    {"fractions and negative orders count",
     {ingress_policy(k_a, -0.5, {deny()}), ingress_policy(k_b, -1.5, {allow()})},
     {},
     "allow by default/b rule 0"},
    {"equal order: the name decides",
     {ingress_policy(k_a, 1, {allow()}), ingress_policy(k_b, 1, {deny()})},
     {},
     "allow by default/a rule 0"},
    {"no order is last",
     {ingress_policy(k_a, {}, {deny()}), ingress_policy(k_b, 1e9, {allow()})},
     {},
     "allow by default/b rule 0"},
    {"equal order: a global policy is stored as default.<name>, and no namespace comes into that",
     {ingress_policy({"default", "", "zz"}, {}, {deny()}),
      ingress_policy({"default", "x", "a"}, {}, {allow()})},
     {},
     "deny by default/zz rule 0"},
    {"equal order: but one in a namespace that is less comes first",
     {ingress_policy({"default", "", "a"}, {}, {deny()}),
      ingress_policy({"default", "app", "zz"}, {}, {allow()})},
     {},
     "allow by default/app/zz rule 0"},
    {"equal order: a policy of the namespace comes before Kubernetes'",
     {ingress_policy({"default", "shop", "knp.default.a"}, 1000, {allow()}),
      ingress_policy({"default", "shop", "zz"}, 1000, {deny()})},
     {},
     "deny by default/shop/zz rule 0"},
    {"equal order: OpenStack's are stored as they are called",
     {ingress_policy({"default", "shop", "ossg.default.a"}, 1, {allow()}),
      ingress_policy({"default", "shop", "zz"}, 1, {deny()})},
     {},
     "deny by default/shop/zz rule 0"},
    {"names compare as namespace/name, as bytes",  // '-' is less than '/'
     {ingress_policy({"default", "shop", "x"}, 1, {deny()}),
      ingress_policy({"default", "shop-2", "x"}, 1, {allow()})},
     {},
     "allow by default/shop-2/x rule 0"},
    {"pass leaves the tier for the profiles",
     {ingress_policy(k_a, 1, {pass(), deny()}), ingress_policy(k_b, 2, {deny()})},
     {k_open},
     "allow by profile open rule 0"},
    {"pass leaves the tier for the next",
     {ingress_policy(k_s, 1, {pass()}), ingress_policy(k_a, 1, {deny()})},
     {k_open},
     "deny by default/a rule 0"},
    {"a tier's end does not pass",
     {ingress_policy(k_s, 1, {elsewhere(Action::allow)}), ingress_policy(k_a, 1, {allow()})},
     {k_open},
     "deny at the end of security/security.s"},
    {"but for a tier whose default is to pass",
     {ingress_policy({"lenient", "", "l"}, 1, {elsewhere(Action::deny)})},
     {k_open},
     "allow by profile open rule 0"},
    {"tiers come by order, not by name",
     {ingress_policy(k_s, 1000, {allow()}), ingress_policy(k_a, 1, {deny()})},
     {},
     "allow by security/security.s rule 0"},
    {"a tier that is not there is last",
     {ingress_policy(in_tier("another", "x"), 1, {deny()}), ingress_policy(k_a, 1, {allow()})},
     {},
     "allow by default/a rule 0"},
    {"profiles are asked in their order",
     {},
     {{.name = "silent", .ingress = {elsewhere(Action::allow)}},
      {.name = "no", .ingress = {deny()}},
      k_open},
     "deny by profile no rule 0"},
    {"log in a profile goes on",
     {},
     {{.name = "p", .ingress = {log(), allow()}}},
     "allow by profile p rule 1"},
    {"pass in a profile denies",
     {},
     {{.name = "p", .ingress = {pass()}}, k_open},
     "deny by profile p rule 0"},
    {"a policy of the other direction does not isolate",
     {{.key = k_a, .applies_ingress = false, .applies_egress = true}},
     {k_open},
     "allow by profile open rule 0"},
    {"a policy for other endpoints does not isolate",
     {{.key = k_a, .selector = selector("app == 'client'")}},
     {k_open},
     "allow by profile open rule 0"},
    {"doNotTrack is not for workloads",
     {{.key = k_a, .ingress = {deny()}, .do_not_track = true, .apply_on_forward = true}},
     {k_open},
     "allow by profile open rule 0"},
    {"preDNAT is not for workloads",
     {{.key = k_a, .ingress = {deny()}, .pre_dnat = true, .apply_on_forward = true}},
     {k_open},
     "allow by profile open rule 0"},
    {"applyOnForward is for workloads too",
     {{.key = k_a, .ingress = {deny()}, .apply_on_forward = true}},
     {k_open},
     "deny by default/a rule 0"},
};
INSTANTIATE_TEST_SUITE_P(Policy, Decisions, ::testing::ValuesIn(k_decisions));

TEST(Decision, EgressIsDecidedByEgressRules) {
  Model model = cluster();
  model.policies[k_a] = {
      .key = k_a, .applies_egress = true, .ingress = {deny()}, .egress = {allow()}};
  const WorkloadEndpoint& client = *endpoint_of(model, ip("10.65.0.1"));
  EXPECT_EQ(text(evaluate(model, client, Direction::egress, k_web)), "allow by default/a rule 0");
  EXPECT_EQ(text(evaluate(model, client, Direction::ingress, k_web)), "deny by default/a rule 0");
}

TEST(Decision, AnEndpointThatIsDownPassesNothing) {
  Model model = cluster();
  WorkloadEndpoint& server = model.workloads.at({"node-a", "k8s", "shop/server", "eth0"});
  server.profiles = {std::string(k_default_allow_profile)};
  EXPECT_EQ(text(evaluate(model, server, Direction::ingress, k_web)),
            "allow by profile projectcalico-default-allow rule 0")
      << "the profile that always exists";
  server.admin_up = false;
  EXPECT_EQ(text(evaluate(model, server, Direction::ingress, k_web)),
            "deny as the endpoint is down");
}

TEST(Decision, PolicyFollowsLabelsThatProfilesGive) {
  Model model = cluster();
  model.policies[k_a] = {
      .key = k_a, .selector = selector("pcns.team == 'web'"), .ingress = {allow()}};
  const WorkloadEndpoint& server = *endpoint_of(model, ip("10.65.0.2"));
  EXPECT_EQ(text(evaluate(model, server, Direction::ingress, k_web)), "allow by default/a rule 0");
}

TEST(Trace, ListsEveryRuleLookedAtInOrder) {
  Model model = cluster();
  model.policies[k_a] = ingress_policy(k_a, 1, {});
  model.policies[k_b] = ingress_policy(k_b, 2, {elsewhere(Action::deny), log(), pass()});
  WorkloadEndpoint& server = model.workloads.at({"node-a", "k8s", "shop/server", "eth0"});
  server.profiles = {"open"};
  model.profiles["open"] = k_open;

  std::vector<Step> trace;
  evaluate(model, server, Direction::ingress, k_web, &trace);
  std::vector<std::string> steps;
  for (const Step& step : trace)
    steps.push_back((step.policy ? step.tier + "/" + step.policy->id() : step.profile) +
                    (step.rule ? " " + std::to_string(*step.rule) : "") +
                    (step.matched ? " matched" : "") +
                    (step.mismatch.empty() ? "" : " but " + step.mismatch));
  const std::vector<std::string> expected = {"default/a", "default/b 0 but protocol",
                                             "default/b 1 matched", "default/b 2 matched",
                                             "open 0 matched"};
  EXPECT_EQ(steps, expected);
}

TEST(Evaluator, AnswersForAnEndpointThatIsNotTheModels) {
  Model model = cluster();
  model.policies[k_a] = ingress_policy(k_a, 1, {allow()});
  model.policies[k_a].selector = selector("app == 'changed'");
  const Evaluator evaluator(model);
  const WorkloadEndpoint& server = *evaluator.endpoint_of(ip("10.65.0.2"));
  WorkloadEndpoint changed = server;
  changed.labels["app"] = "changed";
  const auto verdict = [&](const WorkloadEndpoint& endpoint) {
    return evaluator.evaluate(endpoint, Direction::ingress, k_web).verdict;
  };
  EXPECT_EQ(verdict(changed), Verdict::allow);
  EXPECT_EQ(verdict(server), Verdict::deny);
  EXPECT_EQ(verdict(changed), Verdict::allow);
}

TEST(StagedPolicies, AreSeenOnlyInTheModelThatTheyWouldMake) {
  Model model = cluster();
  const auto put = [&](const char* name, Rule rule) {
    const Policy policy = ingress_policy(in_tier("default", name), 1, {rule});
    model.policies[policy.key] = policy;
  };
  put("a", deny());
  const auto& server = model.workloads.at({"node-a", "k8s", "shop/server", "eth0"});
  const auto verdict = [&](const Model& of) {
    return evaluate(of, server, Direction::ingress, k_web).verdict;
  };
  model.staged_policies[k_a] = {k_a, {}};
  model.staged_policies[k_b] = {k_b, ingress_policy(k_b, 1, {allow()})};
  EXPECT_EQ(verdict(model), Verdict::deny);
  const Model would_be = with_staged(model);
  EXPECT_EQ(verdict(would_be), Verdict::allow);
  EXPECT_FALSE(would_be.policies.contains(k_a));
  EXPECT_TRUE(would_be.staged_policies.empty());
  model.staged_policies[k_b].policy->ingress = {deny()};
  EXPECT_EQ(verdict(with_staged(model)), Verdict::deny);
}

}  // namespace
}  // namespace margay::policy
