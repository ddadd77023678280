#include "dataplane/capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace margay::dataplane {
namespace {

using policy::Delta;
using policy::Encapsulation;
using testing::ElementsAre;
using testing::IsEmpty;

std::shared_ptr<const policy::ProgramRules> log_rule() {
  return std::make_shared<const policy::ProgramRules>(
      policy::ProgramRules{.egress = {{.action = policy::Action::log}}});
}
policy::IPPool pool() { return {.name = "p", .cidr = *policy::Prefix::parse("10.65.0.0/16")}; }

policy::Delta pool_with(void (*change)(policy::IPPool&)) {
  auto made = pool();
  change(made);
  return policy::PoolUpdate{made};
}
policy::Delta workload_with(void (*change)(policy::WorkloadEndpoint&)) {
  policy::WorkloadEndpoint endpoint{.key = {"n", "k8s", "ns/web", "eth0"}};
  change(endpoint);
  return policy::WorkloadUpdate{{.endpoint = endpoint}};
}

struct Case {
  bool Capabilities::* needs;
  Delta delta;
  const char* message;
};

std::vector<Case> cases() {
  return {
      {&Capabilities::host_endpoints,
       policy::HostEndpointUpdate{{.endpoint = {.key = {"n", "uplink"}}}},
       "host endpoint n/uplink is not enforced: the toy data plane has no host endpoints"},
      {&Capabilities::log_action, policy::PolicyUpdate{{"default", "ns", "p"}, log_rule()},
       "policy ns/p logs nothing: the toy data plane has no Log rules"},
      {&Capabilities::log_action, policy::ProfileUpdate{"kns.ns", log_rule()},
       "profile kns.ns logs nothing: the toy data plane has no Log rules"},
      {&Capabilities::vxlan, pool_with([](auto& p) { p.vxlan = Encapsulation::cross_subnet; }),
       "IP pool p is not routed between nodes: the toy data plane has no VXLAN"},
      {&Capabilities::ipip, pool_with([](auto& p) { p.ipip = Encapsulation::always; }),
       "IP pool p is not routed between nodes: the toy data plane has no IPIP"},
      {&Capabilities::nat_outgoing, pool_with([](auto& p) { p.nat_outgoing = true; }),
       "IP pool p is not translated on its way out: the toy data plane has no NAT outgoing"},
      {&Capabilities::floating_ips, workload_with([](auto& w) {
         w.floating_ips = {
             {*policy::IPAddress::parse("10.65.0.2"), *policy::IPAddress::parse("192.0.2.2")}};
       }),
       "workload endpoint n/k8s/ns/web/eth0 is not reached by its floating IPs: the toy data plane "
       "has no floating IPs"},
      {&Capabilities::ipv6,
       workload_with([](auto& w) { w.addresses = {*policy::IPAddress::parse("fd65::2")}; }),
       "workload endpoint n/k8s/ns/web/eth0 passes no IPv6: the toy data plane has no IPv6"},
  };
}

Capabilities everything() {
  return {.name = "toy", .host_endpoints = true, .services = true, .ipip = true, .wireguard = true};
}

TEST(Gaps, AreNamedWhenADeltaAsksForWhatTheDataPlaneLacks) {
  for (const auto& [needs, delta, message] : cases()) {
    Capabilities capabilities = everything();
    capabilities.*needs = false;
    const auto found = gaps(capabilities, delta);
    ASSERT_EQ(found.size(), 1U) << message;
    EXPECT_EQ(found[0].message(capabilities), message);
  }
}

TEST(Gaps, AreNoneForWhatTheDataPlaneCanDo) {
  for (const auto& [needs, delta, message] : cases())
    EXPECT_THAT(gaps(everything(), delta), IsEmpty()) << message;
}

TEST(Gaps, AreNoneForADeltaThatAsksForNothing) {
  const Capabilities nothing{.name = "toy",
                             .log_action = false,
                             .ipv6 = false,
                             .nat_outgoing = false,
                             .floating_ips = false,
                             .vxlan = false};
  EXPECT_THAT(gaps(nothing, policy::PoolUpdate{pool()}), IsEmpty());
  EXPECT_THAT(gaps(nothing, policy::InSync{}), IsEmpty());
}

TEST(Capabilities, OnlyHostEndpointsAreKeptFromADataPlaneWithoutThem) {
  for (const auto& [needs, delta, message] : cases()) {
    Capabilities capabilities = everything();
    EXPECT_TRUE(accepts(capabilities, delta)) << message;
    capabilities.*needs = false;
    EXPECT_EQ(accepts(capabilities, delta), needs != &Capabilities::host_endpoints) << message;
  }
  EXPECT_FALSE(accepts({.name = "toy"}, policy::HostEndpointRemove{{"n", "uplink"}}));
}

TEST(Capabilities, ServicesAreForADataPlaneThatHasThem) {
  for (const Delta& delta : {Delta(policy::ServiceUpdate{}), Delta(policy::ServiceRemove{})}) {
    EXPECT_TRUE(accepts(everything(), delta));
    EXPECT_FALSE(accepts({.name = "toy"}, delta));
    EXPECT_THAT(gaps({.name = "toy"}, delta), IsEmpty()) << "it is somebody else's job: no news";
  }
}

TEST(Capabilities, WhatIsNotProgrammedAtAllIsForTheAgentAlone) {
  EXPECT_FALSE(accepts(everything(), policy::UnprogrammedUpdate{}));
  EXPECT_FALSE(accepts(everything(), policy::UnprogrammedRemove{}));
}

TEST(Capabilities, WhatIsMissingIsListedByName) {
  Capabilities capabilities = everything();
  EXPECT_THAT(missing(capabilities), IsEmpty());
  capabilities.ipip = capabilities.log_action = false;
  EXPECT_THAT(missing(capabilities), ElementsAre("Log rules", "IPIP"));
}

}  // namespace
}  // namespace margay::dataplane
