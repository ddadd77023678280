// Host endpoints where the kernel or its firewall refuses a table that their policy needs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "dataplane/iptables/fake_commands.h"
#include "dataplane/iptables/iptables_tables.h"
#include "dataplane/linux/family_rules.h"

namespace margay::dataplane::iptables {
namespace {

using policy::Direction;
using policy::IPFamily;
using policy::PolicyKey;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

const PolicyKey k_policy{.tier = "default", .ns = "", .name = "guard"};

class HostRules : public ::testing::Test {
 protected:
  HostRules() {
    policy::ProgramRules rules{.ingress = {{.action = policy::Action::deny, .id = "deny"}},
                               .egress = {{.action = policy::Action::deny, .id = "deny"}}};
    rules_.on_delta(
        policy::PolicyUpdate{k_policy, std::make_shared<const policy::ProgramRules>(rules)});
  }

  void give(policy::ProgramHostEndpoint endpoint) {
    endpoint.endpoint.key = {"node", "eth0"};
    endpoint.interfaces = {"eth0"};
    rules_.on_delta(policy::HostEndpointUpdate{std::move(endpoint)});
  }
  static std::vector<policy::ProgramTier> tiers() {
    return {{.name = "default", .ingress = {k_policy}, .egress = {k_policy}}};
  }
  std::vector<std::string> filter(const std::string& chain) {
    return commands_.tables[{IPFamily::v4, "filter"}][chain];
  }
  std::string last(const std::string& chain) {
    const auto rules = filter(chain);
    return rules.empty() ? "" : rules.back();
  }

  Config config_{.node = "node"};
  FakeCommands commands_;
  FamilyRules rules_{config_, IPFamily::v4, *Marks::from_mask(config_.mark_mask),
                     std::make_unique<IptablesTables>(IPFamily::v4, config_, commands_)};
  const std::string from_host_ = host_chain(Direction::ingress, false, "eth0");
  const std::string from_host_forward_ = host_chain(Direction::ingress, true, "eth0");
};

const auto k_is_closed = testing::AllOf(HasSubstr("An earlier stage"), HasSubstr("-j DROP"));

TEST_F(HostRules, WithoutMangleFilterClosesWhatPreDNATWouldBeAskedOf) {
  commands_.refused_rules = {"*mangle"};
  give({.pre_dnat = tiers()});
  ASSERT_TRUE(rules_.apply()) << "workloads need nothing of mangle";
  EXPECT_FALSE(rules_.unfinished()) << "and yet it is tried again";
  EXPECT_THAT(rules_.impaired_hosts().at({"node", "eth0"}), HasSubstr("mangle"));
  EXPECT_THAT(last(from_host_), k_is_closed);
  EXPECT_THAT(last(from_host_forward_), k_is_closed);

  commands_.refused_rules.clear();
  ASSERT_TRUE(rules_.apply());
  EXPECT_TRUE(rules_.unfinished());
  EXPECT_TRUE(rules_.impaired_hosts().empty());
  EXPECT_THAT(last(from_host_), Not(HasSubstr("An earlier stage")));
  EXPECT_TRUE(filter(from_host_forward_).empty());
}

TEST_F(HostRules, WhatMangleWasBeforeItWasRefusedAllowsNothingMore) {
  const auto clears = HasSubstr("-j MARK --set-xmark 0x0");
  give({.pre_dnat = tiers()});
  ASSERT_TRUE(rules_.apply());
  EXPECT_THAT(filter("cali-INPUT"), Not(Contains(clears))) << "the mark of preDNAT counts";

  commands_.refused_rules = {"*mangle"};
  give({.pre_dnat = {{.name = "default", .ingress = {k_policy}}}, .normal = tiers()});
  rules_.on_delta(policy::PolicyUpdate{
      k_policy, std::make_shared<const policy::ProgramRules>(policy::ProgramRules{
                    .ingress = {{.action = policy::Action::allow, .id = "allow"}}})});
  ASSERT_TRUE(rules_.apply());
  const auto input = filter("cali-INPUT");
  const auto cleared = std::ranges::find_if(
      input, [](const auto& rule) { return rule.contains("--set-xmark 0x0"); });
  const auto accepted =
      std::ranges::find_if(input, [](const auto& rule) { return rule.contains("-j ACCEPT"); });
  EXPECT_LT(cleared, accepted) << "nothing is accepted for a mark that mangle has set";
  EXPECT_THAT(last(from_host_), k_is_closed);
}

TEST_F(HostRules, ARestartTrustsNoMarkOfAMangleThatItCannotWrite) {
  give({.pre_dnat = tiers()});
  ASSERT_TRUE(rules_.apply());
  commands_.refused_rules = {"*mangle"};
  commands_.restored.clear();
  FamilyRules restarted(config_, IPFamily::v4, *Marks::from_mask(config_.mark_mask),
                        std::make_unique<IptablesTables>(IPFamily::v4, config_, commands_));
  policy::ProgramHostEndpoint changed{
      .endpoint = {.key = {"node", "eth0"}}, .interfaces = {"eth0"}, .pre_dnat = tiers()};
  restarted.on_delta(policy::HostEndpointUpdate{changed});
  ASSERT_TRUE(restarted.apply());
  size_t filters = 0;
  for (const auto& input : commands_.restored) {
    const auto at = input.find("*filter");
    if (at == std::string::npos || input.contains("*mangle")) continue;
    ++filters;
    EXPECT_THAT(input, HasSubstr("An earlier stage")) << "the first that is written is closed";
  }
  EXPECT_GT(filters, 0U);
}

TEST_F(HostRules, TheClosedStartClosesFilterThoughRawIsRefused) {
  commands_.refused_rules = {"*raw"};
  EXPECT_FALSE(rules_.apply_closed_start());
  EXPECT_THAT(filter("cali-from-wl-dispatch"), Contains(HasSubstr("-j DROP")));
  EXPECT_THAT(filter("FORWARD"), Contains(HasSubstr("-j cali-FORWARD")));
}

TEST_F(HostRules, TheClosedStartLeavesAFilterThatEnforcesThoughRawIsRefused) {
  give({.normal = tiers()});
  ASSERT_TRUE(rules_.apply());
  const auto before = filter(from_host_);
  commands_.refused_rules = {"*raw"};
  commands_.tables.erase({IPFamily::v4, "raw"});
  FamilyRules restarted(config_, IPFamily::v4, *Marks::from_mask(config_.mark_mask),
                        std::make_unique<IptablesTables>(IPFamily::v4, config_, commands_));
  EXPECT_FALSE(restarted.apply_closed_start());
  EXPECT_EQ(filter(from_host_), before);
  EXPECT_THAT(filter("cali-INPUT"), Contains(HasSubstr(std::string(k_from_host_dispatch))));
}

TEST_F(HostRules, MangleTrustsNoMarkOfARawThatCannotBeWritten) {
  const auto before_policy = [&] {
    auto rules = commands_.tables[{IPFamily::v4, "mangle"}]["cali-PREROUTING"];
    rules.erase(std::ranges::find_if(
                    rules, [](const auto& rule) { return rule.contains(k_from_host_dispatch); }),
                rules.end());
    return rules;
  };
  const auto allows_marked = testing::AllOf(HasSubstr("-m mark"), HasSubstr("-j ACCEPT"));
  give({.untracked = tiers(), .pre_dnat = tiers()});
  ASSERT_TRUE(rules_.apply());
  EXPECT_THAT(before_policy(), Contains(allows_marked));
  commands_.refused_rules = {"*raw"};
  give({.pre_dnat = tiers()});
  EXPECT_FALSE(rules_.apply());
  EXPECT_THAT(before_policy(), Not(Contains(allows_marked)));
}

TEST_F(HostRules, AFailureOfAllChangesNothingOfThat) {
  give({.pre_dnat = tiers()});
  ASSERT_TRUE(rules_.apply());
  commands_.refused_rules = {"COMMIT"};
  give({.pre_dnat = tiers(), .normal = tiers()});
  EXPECT_FALSE(rules_.apply()) << "nothing was written";
  commands_.refused_rules.clear();
  ASSERT_TRUE(rules_.apply());
  EXPECT_THAT(last(from_host_), Not(HasSubstr("An earlier stage")));
  EXPECT_TRUE(rules_.impaired_hosts().empty());
}

TEST_F(HostRules, WithoutMangleTheHostsOwnPacketsToServicesAreAskedAboutInFilter) {
  const auto jump_to_hosts = HasSubstr(std::string(k_to_host_dispatch));
  const auto untranslated_only = HasSubstr("! --ctstate DNAT");
  give({.normal = tiers()});
  ASSERT_TRUE(rules_.apply());
  EXPECT_THAT(filter("cali-OUTPUT"), Contains(testing::AllOf(jump_to_hosts, untranslated_only)));

  commands_.tables.erase({IPFamily::v4, "mangle"});
  commands_.refused_rules = {"*mangle"};
  rules_.resync_rules();
  ASSERT_TRUE(rules_.apply());
  EXPECT_THAT(filter("cali-OUTPUT"), Contains(jump_to_hosts));
  EXPECT_THAT(filter("cali-OUTPUT"), Not(Contains(untranslated_only)));
  EXPECT_THAT(last(from_host_), Not(HasSubstr("An earlier stage"))) << "no preDNAT policy";
}

TEST_F(HostRules, AWorkloadWhosePolicyIsRefusedIsClosedThoughNatIsRefusedToo) {
  const policy::ProgramRule rule{.protocol = policy::k_tcp,
                                 .destination = {.ports = {{4242, 4242}}}};
  rules_.on_delta(policy::PolicyUpdate{
      k_policy, std::make_shared<const policy::ProgramRules>(policy::ProgramRules{{rule}, {}})});
  rules_.on_delta(policy::WorkloadUpdate{
      {.endpoint = {.key = {"node", "k8s", "shop/web", "eth0"}, .interface_name = "cali1"},
       .tiers = {{.name = "default", .ingress = {k_policy}}}}});
  commands_.refused_rules = {"--dports 4242", "*nat"};
  EXPECT_FALSE(rules_.apply()) << "nat is not as it should be";
  for (const auto& chain : {to_workload_chain("cali1"), from_workload_chain("cali1")})
    EXPECT_THAT(filter(chain), testing::ElementsAre(HasSubstr("-j DROP"))) << chain;
}

TEST_F(HostRules, WithoutRawNothingOfTheFamilyIsProgrammed) {
  commands_.refused_rules = {"*raw"};
  give({.untracked = tiers()});
  EXPECT_FALSE(rules_.apply()) << "raw keeps workloads from claiming others' addresses";
  EXPECT_THAT(last(from_host_), k_is_closed);
}

}  // namespace
}  // namespace margay::dataplane::iptables
