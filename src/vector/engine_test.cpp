// The whole graph, packet by packet.

#include "vector/engine.h"

#include <fmt/format.h>

#include "vector/parse/ip_protocol.h"
#include "vector/testing/engine_fixture.h"

namespace margay::vector {
namespace {

using policy::Action;
using testing::Bytes;
using testing::flow_text;
using testing::k_ack;
using testing::k_fin;
using testing::k_rst;
using testing::k_syn;

class EngineTest : public testing::EngineFixture {};

TEST_F(EngineTest, APacketBetweenPodsLosesOneHopAndGetsTheReceiversEthernetHeader) {
  const auto sent = send("cali-a", udp("10.65.0.1", 1000, "10.65.0.2", 80));
  ASSERT_EQ(sent.size(), 1U) << all_drops();
  EXPECT_EQ(sent[0].interface, "cali-b");
  const Bytes& frame = sent[0].frame;
  EXPECT_EQ(Bytes(frame.begin(), frame.begin() + 6), (Bytes{2, 0, 0, 0, 0, 2}));
  EXPECT_EQ(Bytes(frame.begin() + 6, frame.begin() + 12), (Bytes{2, 0, 0, 0, 0, 1}));
  EXPECT_EQ(frame[14 + 8], 63) << "time to live";
  EXPECT_TRUE(
      testing::checksums_right({frame.data() + 14, frame.size() - 14}, 20, protocol::k_udp));
  EXPECT_EQ(sessions(), 1U);
}

TEST_F(EngineTest, RepliesBelongToTheSameSession) {
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "10.65.0.2", 80)),
            Texts{"cali-b 10.65.0.1:1000 > 10.65.0.2:80"});
  EXPECT_EQ(leave("cali-b", udp("10.65.0.2", 80, "10.65.0.1", 1000)),
            Texts{"cali-a 10.65.0.2:80 > 10.65.0.1:1000"});
  EXPECT_EQ(sessions(), 1U);
}

TEST_F(EngineTest, IPv6GoesTheSameWay) {
  EXPECT_EQ(leave("cali-a", udp("fd00::1", 1000, "fd00::2", 80)),
            Texts{"cali-b fd00::1:1000 > fd00::2:80"});
  EXPECT_EQ(leave("cali-b", udp("fd00::2", 80, "fd00::1", 1000)),
            Texts{"cali-a fd00::2:80 > fd00::1:1000"});
  EXPECT_EQ(sessions(), 1U);
}

TEST_F(EngineTest, AnICMPFlowIsOneKindOfQueryAndItsAnswers) {
  constexpr uint32_t k_id = 7 << 16;
  const auto icmp = [&](const char* from_pod, uint8_t type, uint8_t code = 0) {
    const bool a = from_pod == std::string("cali-a");
    return send(from_pod, from("")
                              .ip(a ? "10.65.0.1" : "10.65.0.2", a ? "10.65.0.2" : "10.65.0.1")
                              .icmp(type, code, k_id)
                              .build())
        .size();
  };
  policy::ProgramRule echo = rule(Action::allow);
  echo.icmp = policy::ICMPMatch{.type = 8, .code = 0};
  echo.protocol = policy::k_icmp;
  set_policy("a", {rule(Action::deny)}, {rule(Action::allow)});
  set_policy("b", {echo}, {rule(Action::allow)});
  EXPECT_EQ(icmp("cali-a", 8), 1U);
  EXPECT_EQ(icmp("cali-b", 0), 1U) << "the answer";
  EXPECT_EQ(icmp("cali-a", 8, 1), 0U) << "another code";
  EXPECT_EQ(icmp("cali-a", 13), 0U) << "another query under the same identifier";
  EXPECT_EQ(icmp("cali-b", 8), 0U) << "a request the other way";
  EXPECT_EQ(icmp("cali-b", 14), 0U) << "another query's answer";
  EXPECT_EQ(icmp("cali-a", 8), 1U) << "the flow itself goes on";
  EXPECT_EQ(drops(DropReason::flow_conflict), 4U);
}

TEST_F(EngineTest, ICMPWithoutAnIdentifierIsAFlowForEachTypeAndCode) {
  policy::ProgramRule query = rule(Action::allow);
  query.protocol = policy::k_icmpv6;
  query.icmp = policy::ICMPMatch{.type = 139, .code = 0};
  set_policy("b", {query}, {rule(Action::allow)});
  const auto icmp = [&](uint8_t type, uint8_t code) {
    return send("cali-a", from("").ip("fd00::1", "fd00::2").icmpv6(type, code).build()).size();
  };
  EXPECT_EQ(icmp(139, 0), 1U);
  EXPECT_EQ(icmp(139, 1), 0U);
  EXPECT_EQ(icmp(200, 0), 0U);
  EXPECT_EQ(icmp(139, 0), 1U);
  EXPECT_EQ(drops(DropReason::policy_denied_ingress), 2U);
}

TEST_F(EngineTest, UplinkToUplinkIsRoutedWithoutASession) {
  EXPECT_EQ(leave("eth0", udp("192.0.2.1", 1000, "198.51.100.1", 80)),
            Texts{"eth0 192.0.2.1:1000 > 198.51.100.1:80"});
  EXPECT_EQ(sessions(), 0U);
}

TEST_F(EngineTest, PolicyDeniesOnEitherSide) {
  set_policy("b", {rule(Action::deny)}, {rule(Action::allow)});
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "10.65.0.2", 80)), Texts{});
  EXPECT_EQ(drops(DropReason::policy_denied_ingress), 1U);
  EXPECT_EQ(leave("eth0", udp("192.0.2.1", 1000, "10.65.0.2", 80)), Texts{});
  EXPECT_EQ(drops(DropReason::policy_denied_ingress), 2U);
  set_policy("a", {rule(Action::allow)}, {rule(Action::deny)});
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "192.0.2.1", 80)), Texts{});
  EXPECT_EQ(drops(DropReason::policy_denied_egress), 1U);
  EXPECT_EQ(sessions(), 0U) << "what is denied leaves nothing behind";
}

TEST_F(EngineTest, RepliesPassWhatPolicyWouldDenyAsNewFlows) {
  set_policy("a", {rule(Action::deny)}, {rule(Action::allow)});
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "192.0.2.1", 80)).size(), 1U);
  EXPECT_EQ(leave("eth0", udp("192.0.2.1", 80, "10.65.0.1", 1000)).size(), 1U);
  EXPECT_EQ(leave("eth0", udp("192.0.2.1", 81, "10.65.0.1", 1000)).size(), 0U);
}

TEST_F(EngineTest, ASourceThatIsNotTheWorkloadsIsDropped) {
  EXPECT_EQ(leave("cali-a", udp("10.65.0.2", 1000, "192.0.2.1", 80)), Texts{});
  EXPECT_EQ(leave("cali-a", udp("192.0.2.7", 1000, "192.0.2.1", 80)), Texts{});
  EXPECT_EQ(leave("eth0", udp("10.65.0.2", 1000, "10.65.0.1", 80)), Texts{});
  EXPECT_EQ(drops(DropReason::spoofed_source), 3U);
}

TEST_F(EngineTest, AnotherWorkloadCannotJoinAFlow) {
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "192.0.2.1", 80)).size(), 1U);
  EXPECT_EQ(leave("cali-b", udp("10.65.0.1", 1000, "192.0.2.1", 80)), Texts{});
  EXPECT_EQ(leave("cali-b", udp("192.0.2.1", 80, "10.65.0.1", 1000)), Texts{});
  EXPECT_EQ(drops(DropReason::spoofed_source), 2U);
}

// RFC 4291 section 2.5.6, RFC 3927 section 7.
TEST_F(EngineTest, LinkLocalAddressesStayOnTheirLink) {
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "169.254.7.7", 80)), Texts{});
  EXPECT_EQ(leave("cali-a", udp("fd00::1", 1000, "fe80::7", 80)), Texts{});
  EXPECT_EQ(drops(DropReason::link_local), 2U);
}

TEST_F(EngineTest, TunnelsAreNotForWorkloads) {
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "192.0.2.1", 4789)), Texts{});
  EXPECT_EQ(
      leave("cali-a", from("").ipv4("10.65.0.1", "192.0.2.1").protocol(4).payload(20).build()),
      Texts{});
  EXPECT_EQ(drops(DropReason::tunnel_from_workload), 2U);
}

TEST_F(EngineTest, AWorkloadThatIsDownOrGonePassesNothing) {
  set_workload("b", false, false);
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "10.65.0.2", 80)), Texts{});
  EXPECT_EQ(leave("cali-b", udp("10.65.0.2", 1000, "192.0.2.1", 80)), Texts{});
  engine_->apply(policy::WorkloadRemove{{"node", "k8s", "ns/a", "eth0"}});
  engine_->publish();
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "192.0.2.1", 80)), Texts{});
  EXPECT_EQ(drops(DropReason::endpoint_down), 1U);
}

TEST_F(EngineTest, TcpBeginsWithSynAlone) {
  for (const uint8_t flags : {k_ack, uint8_t{k_syn | k_ack}, k_rst, k_fin})
    EXPECT_EQ(leave("cali-a", tcp("10.65.0.1", 1000, "10.65.0.2", 80, flags)), Texts{});
  EXPECT_EQ(drops(DropReason::tcp_out_of_state), 4U);
  EXPECT_EQ(leave("cali-a", tcp("10.65.0.1", 1000, "10.65.0.2", 80, k_syn)).size(), 1U);
  EXPECT_EQ(leave("cali-b", tcp("10.65.0.2", 80, "10.65.0.1", 1000, k_syn | k_ack)).size(), 1U);
}

TEST_F(EngineTest, SessionsGoWhenTheirTimeIsOver) {
  send("cali-a", tcp("10.65.0.1", 1000, "10.65.0.2", 80, k_syn));
  send("cali-a", udp("10.65.0.1", 1000, "10.65.0.2", 80));
  pass_time(29'000);
  expire_sessions();
  EXPECT_EQ(sessions(), 2U);
  pass_time(2'000);
  expire_sessions();
  EXPECT_EQ(sessions(), 1U) << "UDP without a reply: 30 s";
  pass_time(30'000);
  expire_sessions();
  EXPECT_EQ(sessions(), 0U) << "TCP without a reply: 60 s";
}

TEST_F(EngineTest, AnEstablishedConnectionOutlivesAnOpeningOne) {
  send("cali-a", tcp("10.65.0.1", 1000, "10.65.0.2", 80, k_syn));
  send("cali-b", tcp("10.65.0.2", 80, "10.65.0.1", 1000, k_syn | k_ack));
  send("cali-a", tcp("10.65.0.1", 1000, "10.65.0.2", 80, k_ack));
  pass_time(3'600'000);
  expire_sessions();
  EXPECT_EQ(sessions(), 1U);
  send("cali-a", tcp("10.65.0.1", 1000, "10.65.0.2", 80, k_rst));
  pass_time(11'000);
  expire_sessions();
  EXPECT_EQ(sessions(), 0U);
}

TEST_F(EngineTest, AChangeOfPolicyLeavesEstablishedFlowsAloneUnlessSaidOtherwise) {
  send("cali-a", udp("10.65.0.1", 1000, "10.65.0.2", 80));
  set_policy("b", {rule(Action::deny)}, {});
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "10.65.0.2", 80)).size(), 1U);
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1001, "10.65.0.2", 80)).size(), 0U);

  start({.policy_change_applies_to = PolicyChangeAppliesTo::all_flows});
  send("cali-a", udp("10.65.0.1", 1000, "10.65.0.2", 80));
  set_policy("b", {rule(Action::deny)}, {});
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "10.65.0.2", 80)).size(), 0U);
  EXPECT_EQ(drops(DropReason::policy_denied_ingress), 1U);
  EXPECT_EQ(sessions(), 0U);
}

TEST_F(EngineTest, FlowsFollowAChangeOfRoute) {
  send("cali-a", udp("10.65.0.1", 1000, "10.9.0.1", 80));
  engine_->forwarding().set_route(*base::Prefix::parse("10.9.0.0/16"),
                                  {.kind = Adjacency::Kind::unreachable});
  engine_->publish();
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1000, "10.9.0.1", 80)), Texts{});
  EXPECT_EQ(drops(DropReason::unreachable), 1U);
}

TEST_F(EngineTest, LimitsKeepEstablishedFlowsAndRefuseNewOnes) {
  start({.limits = {.sessions4 = 2}});
  for (uint16_t port = 1; port <= 3; ++port)
    EXPECT_EQ(leave("cali-a", udp("10.65.0.1", port, "192.0.2.1", 80)).size(), port <= 2 ? 1U : 0U);
  EXPECT_EQ(drops(DropReason::session_table_full), 1U);
  EXPECT_EQ(leave("cali-a", udp("10.65.0.1", 1, "192.0.2.1", 80)).size(), 1U);

  start({.limits = {.sessions_of_endpoint = 2}});
  for (uint16_t port = 1; port <= 3; ++port)
    EXPECT_EQ(leave("cali-a", udp("10.65.0.1", port, "192.0.2.1", 80)).size(), port <= 2 ? 1U : 0U);
  EXPECT_EQ(drops(DropReason::session_endpoint_limit), 1U);
  EXPECT_EQ(leave("cali-b", udp("10.65.0.2", 1, "192.0.2.1", 80)).size(), 1U)
      << "one pod does not starve the other";
}

TEST_F(EngineTest, AServicesBackendAnswersWithTheServicesAddress) {
  add_service("10.96.0.1", {"10.65.0.2"});
  EXPECT_EQ(leave("cali-a", tcp("10.65.0.1", 1000, "10.96.0.1", 80, k_syn)),
            Texts{"cali-b 10.65.0.1:1000 > 10.65.0.2:8080"});
  const auto sent = send("cali-b", tcp("10.65.0.2", 8080, "10.65.0.1", 1000, k_syn | k_ack));
  ASSERT_EQ(sent.size(), 1U) << all_drops();
  EXPECT_EQ(flow_text(sent[0].frame), "10.96.0.1:80 > 10.65.0.1:1000");
  EXPECT_TRUE(testing::checksums_right({sent[0].frame.data() + 14, sent[0].frame.size() - 14}, 20,
                                       protocol::k_tcp));
}

TEST_F(EngineTest, PolicySeesTheBackendNotTheService) {
  policy::ProgramRule to_backend = rule(Action::allow);
  to_backend.protocol = policy::k_tcp;
  to_backend.destination.nets = {*base::Prefix::parse("10.65.0.2/32")};
  to_backend.destination.ports = {{8080, 8080}};
  set_policy("a", {}, {to_backend});
  add_service("10.96.0.1", {"10.65.0.2"});
  EXPECT_EQ(leave("cali-a", tcp("10.65.0.1", 1000, "10.96.0.1", 80, k_syn)).size(), 1U)
      << all_drops();
}

TEST_F(EngineTest, AServiceWithoutThatPortOrWithoutBackendsRefuses) {
  add_service("10.96.0.1", {});
  EXPECT_EQ(leave("cali-a", tcp("10.65.0.1", 1000, "10.96.0.1", 80, k_syn)), Texts{});
  EXPECT_EQ(leave("cali-a", tcp("10.65.0.1", 1000, "10.96.0.1", 81, k_syn)), Texts{});
  EXPECT_EQ(drops(DropReason::service_no_backend), 1U);
  EXPECT_EQ(drops(DropReason::service_no_port), 1U);
}

TEST_F(EngineTest, AWorkloadReachesItselfThroughItsService) {
  add_service("10.96.0.1", {"10.65.0.1"});
  EXPECT_EQ(leave("cali-a", tcp("10.65.0.1", 1000, "10.96.0.1", 80, k_syn)),
            Texts{"cali-a 172.18.0.1:1000 > 10.65.0.1:8080"});
  EXPECT_EQ(leave("cali-a", tcp("10.65.0.1", 8080, "172.18.0.1", 1000, k_syn | k_ack)),
            Texts{"cali-a 10.96.0.1:80 > 10.65.0.1:1000"});
}

TEST_F(EngineTest, MasqueradedFlowsOfOnePortGetPortsOfTheirOwn) {
  add_service("192.0.2.80", {"10.65.0.2"}, true);
  const auto first = leave("eth0", tcp("198.51.100.1", 1000, "192.0.2.80", 80, k_syn));
  const auto second = leave("eth0", tcp("198.51.100.2", 1000, "192.0.2.80", 80, k_syn));
  ASSERT_EQ(first, Texts{"cali-b 172.18.0.1:1000 > 10.65.0.2:8080"}) << all_drops();
  ASSERT_EQ(second.size(), 1U);
  EXPECT_NE(first, second);
  EXPECT_TRUE(second[0].starts_with("cali-b 172.18.0.1:"));
  EXPECT_EQ(leave("cali-b", tcp("10.65.0.2", 8080, "172.18.0.1", 1000, k_syn | k_ack)),
            Texts{"eth0 192.0.2.80:80 > 198.51.100.1:1000"});
}

TEST_F(EngineTest, AnErrorAboutATranslatedFlowReachesTheClientInItsOwnTerms) {
  add_service("10.96.0.1", {"192.0.2.8"});
  const auto out = send("cali-a", tcp("10.65.0.1", 1000, "10.96.0.1", 80, k_syn));
  ASSERT_EQ(out.size(), 1U) << all_drops();
  const Bytes quoted = without_ethernet(out[0].frame);
  const auto sent =
      send("eth0", from("").ipv4("192.0.2.254", "10.65.0.1").icmp(3, 1).payload(quoted).build());
  ASSERT_EQ(sent.size(), 1U) << all_drops();
  EXPECT_EQ(sent[0].interface, "cali-a");
  const Bytes& frame = sent[0].frame;
  EXPECT_EQ(Bytes(frame.begin() + 14 + 28 + 16, frame.begin() + 14 + 28 + 20),
            (Bytes{10, 96, 0, 1}))
      << "the quoted destination";
  EXPECT_TRUE(
      testing::checksums_right({frame.data() + 14, frame.size() - 14}, 20, protocol::k_icmp));
}

TEST_F(EngineTest, AnErrorAboutNothingIsDropped) {
  const Bytes quoted = without_ethernet(from("").ipv4("10.65.0.1", "192.0.2.8").udp(1, 2).build());
  EXPECT_TRUE(
      send("eth0", from("").ipv4("192.0.2.254", "10.65.0.1").icmp(3, 1).payload(quoted).build())
          .empty());
  EXPECT_EQ(drops(DropReason::icmp_error_no_session), 1U);
}

TEST_F(EngineTest, HopLimitsAndMtuAreToldToTheSender) {
  const auto expired =
      send("cali-a", from("").ipv4("10.65.0.1", "192.0.2.1").ttl(1).udp(1000, 80).build());
  ASSERT_EQ(expired.size(), 1U) << all_drops();
  EXPECT_EQ(expired[0].interface, "cali-a");
  EXPECT_EQ(expired[0].frame[14 + 20], 11) << "time exceeded";
  EXPECT_EQ(drops(DropReason::ttl_expired), 1U);
  const auto big = send("cali-a", udp("fd00::1", 1000, "fd00::2", 80, 1500));
  ASSERT_EQ(big.size(), 1U) << all_drops();
  EXPECT_EQ(big[0].frame[14 + 40], 2) << "packet too big";
  EXPECT_EQ(drops(DropReason::too_big), 1U);
}

TEST_F(EngineTest, FragmentsFollowTheirFirstOneWhateverTheirOrder) {
  policy::ProgramRule dns = rule(Action::allow);
  dns.protocol = policy::k_udp;
  dns.destination.ports = {{53, 53}};
  set_policy("b", {dns}, {rule(Action::allow)});
  const auto parts =
      testing::fragments(without_ethernet(udp("10.65.0.1", 1000, "10.65.0.2", 53, 2000)), 800);
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_TRUE(send("cali-a", with_ethernet(parts[2])).empty()) << "held until the ports are known";
  EXPECT_EQ(send("cali-a", with_ethernet(parts[0])).size(), 2U) << all_drops();
  EXPECT_EQ(send("cali-a", with_ethernet(parts[1])).size(), 1U) << all_drops();
  EXPECT_EQ(sessions(), 1U);
}

TEST_F(EngineTest, AnswersForTheGatewayAndForItself) {
  const Bytes arp = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,   2,   0x08, 0x06,
                     0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,   0,   0,    2,
                     10,   65,   0,    1,    0,    0,    0, 0, 0, 0, 169, 254, 1,    1};
  const auto answer = send("cali-a", arp);
  ASSERT_EQ(answer.size(), 1U) << all_drops();
  EXPECT_EQ(answer[0].interface, "cali-a");
  EXPECT_EQ(answer[0].frame[21], 2) << "a reply";
  EXPECT_EQ(Bytes(answer[0].frame.begin() + 22, answer[0].frame.begin() + 32),
            (Bytes{2, 0, 0, 0, 0, 1, 169, 254, 1, 1}));
  EXPECT_TRUE(send("eth0", arp).empty()) << "on an uplink others answer for themselves";
  const auto echo = send("cali-a", from("").ipv4("10.65.0.1", "172.18.0.1").echo(false, 7).build());
  ASSERT_EQ(echo.size(), 1U) << all_drops();
  EXPECT_EQ(echo[0].interface, "cali-a");
  EXPECT_EQ(echo[0].frame[14 + 20], 0) << "echo reply";
}

// Two workers that share no session: whatever a flow's hash, its packets find its session.
TEST_F(EngineTest, WorkersHandEachOthersPacketsOver) {
  start({.workers = 2});
  add_service("10.96.0.1", {"10.65.0.2", "192.0.2.8"}, true);
  unsigned by_way = 0;
  for (uint16_t port = 1000; port < 1100; ++port) {
    const auto out = send("cali-a", tcp("10.65.0.1", port, "10.96.0.1", 80, k_syn));
    ASSERT_EQ(out.size(), 1U) << all_drops();
    Bytes reply = out[0].frame;
    const auto text = flow_text(out[0].frame);
    const auto at = text.find(" > ");
    const std::string client = text.substr(0, at), backend = text.substr(at + 3);
    const auto client_port = static_cast<uint16_t>(std::stoi(client.substr(client.find(':') + 1)));
    const std::string backend_address = backend.substr(0, backend.find(':'));
    const auto back = leave(out[0].interface, tcp(backend_address.c_str(), 8080, "172.18.0.1",
                                                  client_port, k_syn | k_ack));
    ASSERT_EQ(back, Texts{fmt::format("cali-a 10.96.0.1:80 > 10.65.0.1:{}", port)}) << all_drops();
    by_way += out[0].interface == "cali-b" ? 1 : 0;
  }
  EXPECT_GT(by_way, 20U);
  EXPECT_LT(by_way, 80U);
  EXPECT_GT(engine_->worker(0).sessions4.size(), 100U / 4);
  EXPECT_GT(engine_->worker(1).sessions4.size(), 100U / 4);
  EXPECT_GT(sessions(), 100U) << "notes for replies that come to the other worker";
  pass_time(100'000);
  for (int round = 0; round < 4; ++round) expire_sessions();
  EXPECT_EQ(sessions(), 0U) << "notes go with their sessions";
}

}  // namespace
}  // namespace margay::vector
