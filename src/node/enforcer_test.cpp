#include "node/enforcer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>

#include "dataplane/testing/fake_interface_source.h"
#include "dataplane/testing/recording_dataplane.h"
#include "node/data_plane_reports.h"

namespace margay::node {
namespace {

using namespace std::chrono_literals;
using dataplane::EndpointState;
using dataplane::StateKind;
using dataplane::testing::FakeInterfaceSource;
using dataplane::testing::Recorded;
using dataplane::testing::RecordingDataPlane;
using testing::HasSubstr;

policy::WorkloadKey key_of(const std::string& pod) {
  return {"node-a", "k8s", "ns/" + pod, "eth0"};
}

policy::Delta workload(const std::string& pod, const std::string& interface_name) {
  return policy::WorkloadUpdate{
      {.endpoint = {.key = key_of(pod), .interface_name = interface_name}}};
}
policy::Delta host_endpoint() {
  return policy::HostEndpointUpdate{
      {.endpoint = {.key = {"node-a", "uplink"}, .interface_name = "eth0"}}};
}

template <typename Condition>
bool soon(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

struct EnforcerTest : testing::Test {
  base::SystemClock clock;
  Health health{clock};
  AgentMetrics metrics{"node-a"};
  DataPlaneReports reports{{}, metrics};
  Recorded recorded;

  std::unique_ptr<Enforcer> start(Enforcer::Options options = {}) {
    auto enforcer =
        std::make_unique<Enforcer>(std::make_unique<RecordingDataPlane>(recorded, reports),
                                   std::move(options), reports, health, metrics);
    enforcer->start();
    return enforcer;
  }
  double endpoints(EndpointState state) { return metrics.data_plane_endpoints.at(state)->Value(); }
};

TEST_F(EnforcerTest, LaysTheClosedStartBeforeAnythingIsDelivered) {
  bool laid = false;
  const auto enforcer = start({.on_closed_start = [&] { laid = true; }});
  EXPECT_TRUE(laid) << "start() returns after it";
  EXPECT_TRUE(recorded.read([&] { return recorded.closed_start; }));
  EXPECT_FALSE(health.ready().good) << "nobody's policy is known yet";
}

TEST_F(EnforcerTest, TriesTheClosedStartUntilItIsLaid) {
  recorded.failures_to_come = 3;
  std::atomic<int> laid = 0;
  const auto enforcer = start({.on_closed_start = [&] { ++laid; }});
  EXPECT_EQ(laid, 0) << "start() waits for one attempt, not for success";
  EXPECT_THAT(health.ready().text, HasSubstr("the kernel is busy"));
  ASSERT_TRUE(recorded.eventually([&] { return recorded.applies >= 4; }));
  enforcer->deliver({policy::InSync{}});
  ASSERT_TRUE(recorded.eventually([&] { return recorded.programmed.in_sync; }));
  EXPECT_EQ(laid, 1);
}

TEST_F(EnforcerTest, ProgramsAllThatWasDeliveredTogetherAtOnce) {
  const auto enforcer = start();
  ASSERT_EQ(recorded.applies, 1);
  enforcer->deliver({workload("web", "cali1"), workload("db", "cali2"), policy::InSync{}});
  ASSERT_TRUE(recorded.eventually([&] { return recorded.applies >= 2; }));
  EXPECT_EQ(recorded.read([&] { return recorded.programmed.workloads.size(); }), 2U);
}

TEST_F(EnforcerTest, TriesAgainWhatFailed) {
  const auto enforcer = start();
  recorded.read([&] { return recorded.failures_to_come = 3; });
  enforcer->deliver({policy::InSync{}});
  ASSERT_TRUE(recorded.eventually([&] { return recorded.applies >= 5; }));
  EXPECT_EQ(metrics.data_plane_failures.Value(), 3);
  enforcer->deliver({});
  ASSERT_TRUE(recorded.eventually([&] { return recorded.applies >= 6; }));
  EXPECT_TRUE(health.ready().good);
}

TEST_F(EnforcerTest, LooksAgainWhenTheDataPlaneAsksForIt) {
  recorded.again_in = 1ms;
  const auto enforcer = start();
  ASSERT_TRUE(recorded.eventually([&] { return recorded.applies >= 4; }));
  recorded.read([&] {
    recorded.again_in.reset();
    return true;
  });
  enforcer->deliver({policy::InSync{}});
  ASSERT_TRUE(recorded.eventually([&] { return recorded.programmed.in_sync; }));
}

TEST_F(EnforcerTest, WhatFailsIsTriedEverLaterWhateverTheDataPlaneAsksFor) {
  recorded.again_in = 1ms;
  recorded.failures_to_come = 1'000'000;
  const auto enforcer = start();
  ASSERT_TRUE(recorded.eventually([&] { return recorded.applies >= 5; }));
  const auto fifth = std::chrono::steady_clock::now();
  ASSERT_TRUE(recorded.eventually([&] { return recorded.applies >= 6; }));
  EXPECT_GE(std::chrono::steady_clock::now() - fifth, 200ms);
}

TEST_F(EnforcerTest, ReadsBackEachKindAtItsOwnInterval) {
  const auto enforcer = start(
      {.refresh = {{StateKind::rules, 20ms}, {StateKind::routes, 0ms}, {StateKind::sets, 1h}}});
  enforcer->deliver({policy::InSync{}});
  ASSERT_TRUE(recorded.eventually([&] { return recorded.resyncs[StateKind::rules] >= 4; }));
  EXPECT_EQ(recorded.read([&] { return recorded.resyncs[StateKind::sets]; }), 0);
  EXPECT_EQ(recorded.read([&] { return recorded.resyncs[StateKind::routes]; }), 0) << "0: never";
}

TEST_F(EnforcerTest, SaysOnceThatTheFirstCompleteStateHasBeenReported) {
  std::atomic<int> said = 0;
  const auto enforcer = start({.on_all_reported = [&] { ++said; }});
  EXPECT_EQ(said, 0);
  enforcer->deliver({workload("web", "cali1"), policy::InSync{}});
  ASSERT_TRUE(soon([&] { return said == 1; }));
  enforcer->deliver({workload("db", "cali2")});
  ASSERT_TRUE(recorded.eventually([&] { return recorded.programmed.workloads.size() == 2; }));
  EXPECT_EQ(said, 1);
}

TEST_F(EnforcerTest, TellsHowItStandsWithEachEndpoint) {
  recorded.refused[key_of("bad")] = "iptables-restore: line 7 failed";
  FakeInterfaceSource interfaces({{.name = "cali1", .up = true}, {.name = "cali3", .up = false}});
  const auto enforcer = start();
  ASSERT_TRUE(interfaces.start(*enforcer));
  enforcer->deliver({workload("web", "cali1"), workload("late", "cali2"), workload("off", "cali3"),
                     workload("bad", "cali4"), policy::InSync{}});
  const auto counts = [&] {
    return std::array{endpoints(EndpointState::up), endpoints(EndpointState::down),
                      endpoints(EndpointState::error)};
  };
  EXPECT_TRUE(soon([&] { return counts() == std::array{1.0, 2.0, 1.0}; }));

  interfaces.listener().on_interface({.name = "cali2", .up = true});
  interfaces.listener().on_interface_removed("cali1");
  recorded.read([&] { return recorded.refused.clear(), 0; });
  enforcer->deliver({policy::WorkloadRemove{key_of("off")}});
  EXPECT_TRUE(soon([&] { return counts() == std::array{1.0, 2.0, 0.0}; }));
}

TEST_F(EnforcerTest, ForwardsWhatTheDataPlaneTellsByItself) {
  const auto enforcer = start();
  auto& upcalls = *recorded.upcalls;
  upcalls.on_endpoint_status({key_of("web"), {{EndpointState::error, "the device is gone"}}});
  EXPECT_EQ(endpoints(EndpointState::error), 1);
  upcalls.on_flows(std::array{dataplane::FlowRecord{.packets = 3},
                              dataplane::FlowRecord{.action = policy::Action::deny, .packets = 4}});
  EXPECT_EQ(metrics.flow_packets_allowed.Value(), 3);
  EXPECT_EQ(metrics.flow_packets_denied.Value(), 4);
}

TEST_F(EnforcerTest, GivesADataPlaneNothingThatItCannotDo) {
  recorded.capabilities.host_endpoints = false;
  const auto enforcer = start();
  enforcer->deliver({host_endpoint(), policy::InSync{}});
  ASSERT_TRUE(recorded.eventually([&] { return recorded.programmed.in_sync; }));
  EXPECT_TRUE(recorded.read([&] { return recorded.programmed.host_endpoints.empty(); }));
  EXPECT_TRUE(soon([&] { return endpoints(EndpointState::error) == 1; })) << "and names it";
  enforcer->deliver({policy::HostEndpointRemove{{"node-a", "uplink"}}});
  EXPECT_TRUE(soon([&] { return endpoints(EndpointState::error) == 0; }));
}

policy::Unprogrammed left_out(const std::string& pod, bool partly = false) {
  return {.key = key_of(pod), .partly = partly, .reason = "interface cali1 is another's"};
}

TEST_F(EnforcerTest, AnEndpointThatTheGraphLeavesOutIsAnErrorUntilItIsProgrammed) {
  const auto enforcer = start();
  enforcer->on_interface({.name = "cali1", .up = true});
  enforcer->deliver(
      {workload("web", "cali1"), policy::UnprogrammedUpdate{left_out("twin")}, policy::InSync{}});
  EXPECT_TRUE(soon([&] { return endpoints(EndpointState::error) == 1; }));
  EXPECT_EQ(recorded.read([&] { return recorded.programmed.workloads.size(); }), 1U);

  // They change places: what the data plane tells of the one that is gone is not the last word.
  enforcer->deliver({policy::WorkloadRemove{key_of("web")}, workload("twin", "cali1"),
                     policy::UnprogrammedUpdate{left_out("web")},
                     policy::UnprogrammedRemove{key_of("twin")}});
  ASSERT_TRUE(
      recorded.eventually([&] { return recorded.programmed.workloads.contains(key_of("twin")); }));
  EXPECT_TRUE(soon(
      [&] { return endpoints(EndpointState::error) == 1 && endpoints(EndpointState::up) == 1; }));
  enforcer->deliver({policy::UnprogrammedRemove{key_of("web")}});
  EXPECT_TRUE(soon([&] { return endpoints(EndpointState::error) == 0; }));
}

TEST_F(EnforcerTest, AnEndpointThatIsProgrammedInPartIsUp) {
  const auto enforcer = start();
  enforcer->on_interface({.name = "cali1", .up = true});
  enforcer->deliver({workload("web", "cali1"), policy::UnprogrammedUpdate{left_out("web", true)},
                     policy::InSync{}});
  EXPECT_TRUE(soon([&] { return endpoints(EndpointState::up) == 1; }));
  EXPECT_EQ(endpoints(EndpointState::error), 0);
}

// The data plane has said that it is up, and says nothing more.
TEST_F(EnforcerTest, AnEndpointThatChangesBetweenPartAndWholeStaysUp) {
  const auto enforcer = start();
  enforcer->on_interface({.name = "cali1", .up = true});
  const auto deliver = [&](policy::Delta delta) {
    std::atomic<bool> taken = false;
    enforcer->deliver({std::move(delta)}, [&] { taken = true; });
    ASSERT_TRUE(soon([&] { return taken.load(); }));
    taken = false;
    enforcer->deliver({policy::InSync{}}, [&] { taken = true; });  // after the apply
    ASSERT_TRUE(soon([&] { return taken.load(); }));
  };
  deliver(workload("web", "cali1"));
  ASSERT_TRUE(soon([&] { return endpoints(EndpointState::up) == 1; }));
  deliver(policy::UnprogrammedUpdate{left_out("web", true)});
  EXPECT_EQ(endpoints(EndpointState::up), 1);
  deliver(policy::UnprogrammedRemove{key_of("web")});
  EXPECT_EQ(endpoints(EndpointState::up), 1);
}

TEST_F(EnforcerTest, AListOfAllInterfacesReplacesWhatWasKnown) {
  FakeInterfaceSource interfaces({{.name = "cali1", .up = true}, {.name = "cali2", .up = true}});
  const auto enforcer = start();
  ASSERT_TRUE(interfaces.start(*enforcer));
  ASSERT_TRUE(recorded.eventually([&] { return recorded.interfaces.size() == 2; }));
  interfaces.listener().on_interfaces({{.name = "cali2", .up = false}});
  ASSERT_TRUE(recorded.eventually([&] { return recorded.interfaces.size() == 1; }));
  EXPECT_FALSE(recorded.read([&] { return recorded.interfaces.at("cali2").up; }));
  EXPECT_TRUE(recorded.eventually([&] { return recorded.resyncs[StateKind::routes] >= 2; }))
      << "routes may have gone unseen";
}

}  // namespace
}  // namespace margay::node
