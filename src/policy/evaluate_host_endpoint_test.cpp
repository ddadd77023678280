// What a host endpoint decides at each stage (docs/policy.md, "Host endpoints").

#include <gtest/gtest.h>

#include <ostream>

#include "policy/evaluate.h"
#include "policy/evaluate_cluster.h"

namespace margay::policy {
namespace {

using namespace testing;

const Rule k_allow{.action = Action::allow};
const Rule k_deny{.action = Action::deny};
const Rule k_pass{.action = Action::pass};
const Rule k_elsewhere{.action = Action::allow, .protocol = k_udp};  // the packet is TCP

// One policy of each kind, for both directions.
Policy policy(const char* name, std::vector<Rule> rules) {
  return {.key = {"default", "", name},
          .applies_ingress = true,
          .applies_egress = true,
          .ingress = rules,
          .egress = rules};
}
Policy normal(std::vector<Rule> rules) { return policy("normal", std::move(rules)); }
Policy forwarded(std::vector<Rule> rules) {
  Policy made = policy("forwarded", std::move(rules));
  made.apply_on_forward = true;
  return made;
}
Policy untracked(std::vector<Rule> rules) {
  Policy made = forwarded(std::move(rules));
  made.key.name = "untracked";
  made.do_not_track = true;
  return made;
}
Policy pre_dnat(std::vector<Rule> rules) {
  Policy made = forwarded(std::move(rules));
  made.key.name = "pre-dnat";
  made.pre_dnat = true;
  return made;
}

// Given these policies on `gateway`, whose profile allows, then it decides so at a stage.
struct HostCase {
  const char* name;
  std::vector<Policy> policies;
  Stage stage;
  Direction direction;
  const char* decision;  // "nothing": the packet goes on to what comes after the stage
};
void PrintTo(const HostCase& c, std::ostream* out) { *out << c.name; }

std::string text(const std::optional<Decision>& decision) {
  if (!decision) return "nothing";
  const std::string verdict = decision->verdict == Verdict::allow ? "allow by " : "deny by ";
  if (decision->by == Decision::By::profile_rule) return verdict + "profile " + decision->profile;
  if (decision->by == Decision::By::no_profile_matched) return verdict + "no profile";
  const bool at_end = decision->by == Decision::By::end_of_tier;
  return verdict + (at_end ? "the end of " : "") + decision->policy->id();
}

class HostDecisions : public ::testing::TestWithParam<HostCase> {};

TEST_P(HostDecisions, AreMadeByStage) {
  const HostCase& c = GetParam();
  Model model = cluster();
  model.profiles["open"] = {.name = "open", .ingress = {k_allow}, .egress = {k_allow}};
  HostEndpoint& gateway = model.host_endpoints.at({"node-a", "gateway"});
  gateway.profiles = {"open"};
  for (const Policy& each : c.policies) model.policies[each.key] = each;
  const Packet packet = c.direction == Direction::ingress ? tcp("203.0.113.1", "198.51.100.1", 443)
                                                          : tcp("198.51.100.1", "203.0.113.1", 443);
  EXPECT_EQ(text(Evaluator(model).evaluate(gateway, c.stage, c.direction, packet)), c.decision);
}

constexpr auto k_in = Direction::ingress;
constexpr auto k_out = Direction::egress;

INSTANTIATE_TEST_SUITE_P(
    Cases, HostDecisions,
    ::testing::Values(
        HostCase{
            "without policies profiles decide", {}, Stage::normal, k_in, "allow by profile open"},
        HostCase{"without policies forwarded traffic passes", {}, Stage::forward, k_in, "nothing"},
        HostCase{"without policies the first stages decide nothing",
                 {},
                 Stage::untracked,
                 k_in,
                 "nothing"},
        HostCase{"a normal policy is for local traffic",
                 {normal({k_deny})},
                 Stage::normal,
                 k_in,
                 "deny by normal"},
        HostCase{
            "and not for forwarded traffic", {normal({k_deny})}, Stage::forward, k_in, "nothing"},
        HostCase{"applyOnForward is for forwarded traffic",
                 {forwarded({k_deny})},
                 Stage::forward,
                 k_out,
                 "deny by forwarded"},
        HostCase{"and for local traffic too",
                 {forwarded({k_deny})},
                 Stage::normal,
                 k_out,
                 "deny by forwarded"},
        HostCase{"the end of a tier denies forwarded traffic",
                 {forwarded({k_elsewhere})},
                 Stage::forward,
                 k_in,
                 "deny by the end of forwarded"},
        HostCase{"after Pass forwarded traffic passes, and profiles are not asked",
                 {forwarded({k_pass})},
                 Stage::forward,
                 k_in,
                 "nothing"},
        HostCase{"after Pass profiles decide of local traffic",
                 {normal({k_pass})},
                 Stage::normal,
                 k_in,
                 "allow by profile open"},
        HostCase{"doNotTrack decides before tracking",
                 {untracked({k_deny})},
                 Stage::untracked,
                 k_out,
                 "deny by untracked"},
        HostCase{"and has no end of tier",
                 {untracked({k_elsewhere})},
                 Stage::untracked,
                 k_in,
                 "nothing"},
        HostCase{"nor a part in later stages",
                 {untracked({k_deny})},
                 Stage::normal,
                 k_in,
                 "allow by profile open"},
        HostCase{"nor in forwarding", {untracked({k_deny})}, Stage::forward, k_in, "nothing"},
        HostCase{"preDNAT decides before services",
                 {pre_dnat({k_deny})},
                 Stage::pre_dnat,
                 k_in,
                 "deny by pre-dnat"},
        HostCase{
            "and has no end of tier", {pre_dnat({k_elsewhere})}, Stage::pre_dnat, k_in, "nothing"},
        HostCase{"nor an egress", {pre_dnat({k_deny})}, Stage::pre_dnat, k_out, "nothing"},
        HostCase{"nor a part in later stages",
                 {pre_dnat({k_deny})},
                 Stage::normal,
                 k_in,
                 "allow by profile open"}));

TEST(HostDecision, WithoutAProfileIsDeny) {
  const Model model = cluster();
  EXPECT_EQ(
      text(Evaluator(model).evaluate(model.host_endpoints.at({"node-a", "gateway"}), Stage::normal,
                                     k_in, tcp("203.0.113.1", "198.51.100.1", 443))),
      "deny by no profile");
}

}  // namespace
}  // namespace margay::policy
