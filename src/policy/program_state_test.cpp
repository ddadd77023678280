#include "policy/program_state.h"

#include <gtest/gtest.h>

namespace margay::policy {
namespace {

const WorkloadKey k_pod{"node-a", "k8s", "shop/web", "eth0"};
const HostEndpointKey k_host{"node-a", "eth0"};
const PolicyKey k_policy{.name = "p"};
const SetMember k_member{.net = *Prefix::parse("10.65.0.1/32")};

std::shared_ptr<const ProgramRules> rules_naming(const char* set) {
  ProgramRule rule;
  if (set) rule.source.sets = {set};
  return std::make_shared<const ProgramRules>(ProgramRules{.ingress = {rule}});
}

WorkloadUpdate workload(std::vector<std::string> profiles) {
  WorkloadUpdate update;
  update.workload.endpoint.key = k_pod;
  update.workload.endpoint.profiles = std::move(profiles);
  update.workload.tiers = {{.name = "default", .ingress = {k_policy}}};
  return update;
}

// A set, a policy and a profile that name it, and a workload that names both.
ProgramState complete() {
  ProgramState state;
  const Delta deltas[] = {SetUpdate{"s", SetType::nets, {k_member}},
                          PolicyUpdate{k_policy, rules_naming("s")},
                          ProfileUpdate{"open", rules_naming("s")}, workload({"open"})};
  for (const Delta& delta : deltas) EXPECT_TRUE(state.apply(delta));
  return state;
}

struct Case {
  const char* name;
  Delta delta;
};

TEST(ProgramState, RefusesWhatBreaksTheProtocol) {
  HostEndpointUpdate host;
  host.endpoint.endpoint.key = k_host;
  host.endpoint.untracked = {{.name = "default", .egress = {{.name = "not-there"}}}};
  const Case cases[] = {
      {"a policy that names a set that is not there", PolicyUpdate{k_policy, rules_naming("t")}},
      {"a profile that names a set that is not there", ProfileUpdate{"open", rules_naming("t")}},
      {"a workload that lists a profile that is not there", workload({"not-there"})},
      {"a host endpoint that lists a policy that is not there", host},
      {"removal of a set that is named", SetRemove{"s"}},
      {"removal of a policy that is listed", PolicyRemove{k_policy}},
      {"removal of a profile that is listed", ProfileRemove{"open"}},
      {"removal of a set that is not there", SetRemove{"t"}},
      {"removal of a workload that is not there", WorkloadRemove{{}}},
      {"removal of a route that is not there", RouteRemove{*Prefix::parse("10.0.0.0/8")}},
      {"removal of a tunnel that is not there", TunnelRemove{"node-b", IPFamily::v4}},
      {"removal of a pool that is not there", PoolRemove{"pool"}},
      {"removal of a host that is not there", HostRemove{"node-b"}},
      {"a change of a set that is not there", SetDelta{"t", {}, {}}},
      {"a member that is there already", SetDelta{"s", {k_member}, {}}},
      {"removal of a member that is not there",
       SetDelta{"s", {}, {{.net = *Prefix::parse("10.65.0.2/32")}}}},
  };
  for (const auto& [name, delta] : cases) {
    ProgramState state = complete();
    const ProgramState before = state;
    EXPECT_FALSE(state.apply(delta)) << name;
    EXPECT_EQ(state, before) << name;
  }
}

TEST(ProgramState, ComesApartInTheReverseOrder) {
  ProgramState state = complete();
  const Delta deltas[] = {WorkloadRemove{k_pod}, ProfileRemove{"open"}, PolicyRemove{k_policy},
                          SetRemove{"s"}};
  for (const Delta& delta : deltas) EXPECT_TRUE(state.apply(delta));
  EXPECT_EQ(state, ProgramState());
}

TEST(ProgramState, IsInSyncOnce) {
  ProgramState state;
  EXPECT_TRUE(state.apply(InSync{}));
  EXPECT_FALSE(state.apply(InSync{}));
}

TEST(ProgramState, RefusesASetOfTheWrongType) {
  ProgramState state = complete();
  ProgramRule rule;
  rule.destination.port_sets = {"s"};
  EXPECT_FALSE(state.apply(PolicyUpdate{
      k_policy, std::make_shared<const ProgramRules>(ProgramRules{.egress = {rule}})}));
}

}  // namespace
}  // namespace margay::policy
