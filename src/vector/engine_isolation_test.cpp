// What nobody may do to others, and what a change must not leave behind: packet by packet.

#include <fmt/format.h>

#include "vector/engine.h"
#include "vector/parse/ip_protocol.h"
#include "vector/testing/engine_fixture.h"

namespace margay::vector {
namespace {

using policy::Action;
using testing::Bytes;
using testing::k_ack;
using testing::k_rst;
using testing::k_syn;

class EngineIsolationTest : public testing::EngineFixture {
 protected:
  static Bytes unreachable(const char* source, const char* destination, const Bytes& about) {
    return from("").ipv4(source, destination).icmp(3, 1).payload(without_ethernet(about)).build();
  }
};

TEST_F(EngineIsolationTest, AWorkloadCannotSendErrorsIntoAnothersFlow) {
  const Bytes packet = udp("10.65.0.1", 1000, "192.0.2.1", 80);
  ASSERT_EQ(leave("cali-a", packet).size(), 1U);
  EXPECT_EQ(leave("cali-b", unreachable("10.65.0.2", "10.65.0.1", packet)), Texts{});
  EXPECT_EQ(leave("cali-b", unreachable("192.0.2.254", "10.65.0.1", packet)), Texts{});
  EXPECT_EQ(drops(DropReason::spoofed_source), 2U);
  EXPECT_EQ(leave("eth0", unreachable("192.0.2.254", "10.65.0.1", packet)).size(), 1U);
}

TEST_F(EngineIsolationTest, AnErrorsSourceIsItsSendersOwn) {
  const Bytes packet = udp("10.65.0.1", 1000, "10.65.0.2", 80);
  ASSERT_EQ(leave("cali-a", packet).size(), 1U);
  EXPECT_EQ(leave("cali-b", unreachable("192.0.2.254", "10.65.0.1", packet)), Texts{});
  EXPECT_EQ(leave("cali-b", unreachable("10.65.0.2", "10.65.0.1", packet)).size(), 1U);
  const Bytes outwards = udp("10.65.0.1", 1000, "192.0.2.1", 80);
  ASSERT_EQ(leave("cali-a", outwards).size(), 1U);
  EXPECT_EQ(leave("eth0", unreachable("10.65.0.2", "10.65.0.1", outwards)), Texts{});
  EXPECT_EQ(drops(DropReason::spoofed_source), 2U);
}

// The session's adjacency may be another's by now.
TEST_F(EngineIsolationTest, AnErrorAboutAFlowThatWasNotLookedAtSinceAChangeIsDropped) {
  const Bytes packet = udp("10.65.0.1", 1000, "192.0.2.1", 80);
  ASSERT_EQ(leave("cali-a", packet).size(), 1U);
  engine_->publish();
  EXPECT_EQ(leave("eth0", unreachable("192.0.2.254", "10.65.0.1", packet)), Texts{});
  ASSERT_EQ(leave("cali-a", packet).size(), 1U);
  EXPECT_EQ(leave("eth0", unreachable("192.0.2.254", "10.65.0.1", packet)).size(), 1U);
}

TEST_F(EngineIsolationTest, NobodyMakesTheEngineSendErrorsToAWorkloadByUsingItsAddress) {
  const Bytes spoofed =
      from("").ipv4("10.65.0.1", "198.51.100.1").ttl(1).udp(1000, 80).payload(8).build();
  EXPECT_EQ(leave("eth0", spoofed), Texts{});
  EXPECT_EQ(drops(DropReason::spoofed_source), 1U) << all_drops();
  EXPECT_EQ(drops(DropReason::ttl_expired), 1U) << all_drops();
}

TEST_F(EngineIsolationTest, AWorkloadCannotAddFragmentsToAnothersPacket) {
  const auto parts = testing::fragments(
      without_ethernet(from("").ipv4("10.65.0.1", "192.0.2.1").udp(1000, 53).payload(100).build()),
      64);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(leave("cali-b", with_ethernet(parts[0])), Texts{}) << "spoofed, and not remembered";
  EXPECT_EQ(leave("cali-a", with_ethernet(parts[1])), Texts{}) << "waits for the first one";
  EXPECT_EQ(leave("cali-a", with_ethernet(parts[0])).size(), 2U) << all_drops();
  EXPECT_EQ(drops(DropReason::spoofed_source), 1U);
}

TEST_F(EngineIsolationTest, NothingComesInOrLeavesByAnInterfaceThatIsGone) {
  ASSERT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "10.65.0.2", 80)).size(), 1U);
  ASSERT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "192.0.2.1", 80)).size(), 1U);
  ASSERT_TRUE(engine_->remove_interface("cali-b"));
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "10.65.0.2", 80)), Texts{});
  EXPECT_EQ(leave("cali-b", udp("10.65.0.2", 80, "10.65.0.1", 1000)), Texts{});
  Bytes to_no_one = udp("10.65.0.2", 80, "198.51.100.1", 1000);
  std::fill_n(to_no_one.begin(), 6, uint8_t{0});
  EXPECT_EQ(leave("cali-b", to_no_one), Texts{}) << "an interface that is gone is no uplink";
  ASSERT_TRUE(engine_->remove_interface("eth0"));
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "192.0.2.1", 80)), Texts{});
  EXPECT_EQ(drops(DropReason::interface_down), 2U) << all_drops();
  EXPECT_EQ(drops(DropReason::no_route), 2U) << all_drops();
}

TEST_F(EngineIsolationTest, AnInterfaceDoesNotInheritTheRoutesOfOneThatHadItsIndex) {
  ASSERT_TRUE(engine_->remove_interface("eth0"));
  ASSERT_TRUE(engine_->add_interface(
      {.name = "cali-c", .mac = MacAddress{{2, 0, 0, 0, 0, 1}}, .is_workload = true}));
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "192.0.2.1", 80)), Texts{});
  EXPECT_EQ(drops(DropReason::no_route), 1U) << all_drops();
}

TEST_F(EngineIsolationTest, HeldFragmentsDoNotOutliveTheirInterface) {
  const auto parts = testing::fragments(
      without_ethernet(from("").ipv4("10.65.0.1", "192.0.2.1").udp(1000, 53).payload(100).build()),
      64);
  EXPECT_EQ(leave("cali-a", with_ethernet(parts[1])), Texts{});
  ASSERT_TRUE(engine_->remove_interface("cali-a"));
  engine_->publish();
  ASSERT_TRUE(engine_->remove_interface("cali-b"));
  engine_->publish();
  EXPECT_EQ(leave("eth0", with_ethernet(parts[0])).size(), 1U)
      << "the address is nobody's now: routed";
  EXPECT_EQ(drops(DropReason::interface_down), 1U) << all_drops();
}

// Policy that was asked about one workload says nothing about the next one with its address.
TEST_F(EngineIsolationTest, AFlowIsJudgedAgainWhenAnotherWorkloadHasTheAddress) {
  ASSERT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "10.65.0.2", 80)).size(), 1U);
  engine_->apply(policy::WorkloadRemove{{"node", "k8s", "ns/b", "eth0"}});
  engine_->publish();
  set_policy("b", {rule(Action::deny)}, {rule(Action::allow)});
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "10.65.0.2", 80)), Texts{});
  EXPECT_EQ(drops(DropReason::policy_denied_ingress), 1U) << all_drops();
  EXPECT_EQ(sessions(), 0U);
}

TEST_F(EngineIsolationTest, AnEchoFlowIsJudgedByItsRequestAlsoWhenTheReplyComesFirst) {
  start({.policy_change_applies_to = PolicyChangeAppliesTo::all_flows});
  policy::ProgramRule ping = rule(Action::allow);
  ping.protocol = protocol::k_icmp;
  ping.icmp = policy::ICMPMatch{.type = 8};
  set_policy("b", {ping}, {rule(Action::allow)});
  const auto echo = [](bool reply) {
    return from("")
        .ipv4(reply ? "10.65.0.2" : "10.65.0.1", reply ? "10.65.0.1" : "10.65.0.2")
        .echo(reply, 7)
        .build();
  };
  ASSERT_EQ(leave("cali-a", echo(false)).size(), 1U) << all_drops();
  engine_->publish();
  EXPECT_EQ(leave("cali-b", echo(true)).size(), 1U) << all_drops();
}

// Packets that were found to belong to a connection go its way although the next packet of the
// batch replaces it.
TEST_F(EngineIsolationTest, APacketIsTranslatedAlsoWhenItsConnectionIsReplacedInTheSameBatch) {
  add_service("10.96.0.1", {"10.65.0.2"});
  send("cali-a", tcp("10.65.0.1", 1000, "10.96.0.1", 80, k_syn));
  send("cali-b", tcp("10.65.0.2", 8080, "10.65.0.1", 1000, k_syn | k_ack));
  send("cali-a", tcp("10.65.0.1", 1000, "10.96.0.1", 80, k_rst));
  set_policy("a", {rule(Action::allow)}, {rule(Action::deny)});
  send("cali-a", tcp("10.65.0.1", 1000, "10.96.0.1", 80, k_ack));  // seen since the change
  EXPECT_EQ(leave_all("cali-a", {tcp("10.65.0.1", 1000, "10.96.0.1", 80, k_ack),
                                 tcp("10.65.0.1", 1000, "10.96.0.1", 80, k_syn),
                                 tcp("10.65.0.1", 1001, "10.65.0.2", 80, k_syn)}),
            Texts{"cali-b 10.65.0.1:1000 > 10.65.0.2:8080"})
      << all_drops();
}

TEST_F(EngineIsolationTest, WorkersDoNotTakeEachOthersMasqueradedPorts) {
  start({.workers = 2});
  add_service("192.0.2.80", {"10.65.0.2"}, true);
  std::set<std::string> seen;
  for (int client = 1; client <= 60; ++client) {
    const std::string address = fmt::format("198.51.100.{}", client);
    const auto out = leave("eth0", tcp(address.c_str(), 1000, "192.0.2.80", 80, k_syn));
    ASSERT_EQ(out.size(), 1U) << address << ": " << all_drops();
    EXPECT_TRUE(seen.insert(out[0]).second) << out[0];
    const size_t at = out[0].find("172.18.0.1:");
    ASSERT_NE(at, std::string::npos) << out[0];
    const auto port = static_cast<uint16_t>(std::stoi(out[0].substr(at + 11)));
    EXPECT_EQ(leave("cali-b", tcp("10.65.0.2", 8080, "172.18.0.1", port, k_syn | k_ack)),
              Texts{"eth0 192.0.2.80:80 > " + address + ":1000"})
        << all_drops();
  }
}

}  // namespace
}  // namespace margay::vector
