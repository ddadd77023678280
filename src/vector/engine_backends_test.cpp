// Flows to a service whose backends come and go.

#include "vector/engine.h"
#include "vector/parse/ip_protocol.h"
#include "vector/testing/engine_fixture.h"

namespace margay::vector {
namespace {

using testing::Bytes;
using testing::k_ack;
using testing::k_syn;

class EngineBackendsTest : public testing::EngineFixture {
 protected:
  struct Listed {
    const char* address;
    bool ready = true, draining = false;
  };
  // 10.96.0.1 on port 53, over UDP and TCP.
  void set_backends(const std::vector<Listed>& backends, const char* of = "10.96.0.1") {
    ServiceConfig config{.name = "dns"};
    for (const uint8_t proto : {protocol::k_udp, protocol::k_tcp})
      config.frontends.push_back(
          {.address = *base::IPAddress::parse(of), .protocol = proto, .port = 53});
    for (const auto& [address, ready, draining] : backends)
      config.backends.push_back({.identity = {*base::IPAddress::parse(address), 5353},
                                 .ready = ready,
                                 .draining = draining});
    const auto set = engine_->set_service(config);
    ASSERT_TRUE(set) << set.error().message;
    engine_->publish();
  }
  Bytes query() { return udp("10.65.0.1", 1000, "10.96.0.1", 53); }
  Bytes to_service(uint8_t flags) { return tcp("10.65.0.1", 1000, "10.96.0.1", 53, flags); }
  Bytes from_backend(const char* backend, uint8_t flags) {
    return tcp(backend, 5353, "10.65.0.1", 1000, flags);
  }
};

TEST_F(EngineBackendsTest, DatagramsGoToAnotherBackendWhenTheirsIsGone) {
  set_backends({{"192.0.2.8"}});
  EXPECT_EQ(leave("cali-a", query()), Texts{"eth0 10.65.0.1:1000 > 192.0.2.8:5353"});
  set_backends({{"192.0.2.9"}});
  EXPECT_EQ(leave_all("cali-a", {query(), query()}),
            Texts(2, "eth0 10.65.0.1:1000 > 192.0.2.9:5353"));
  EXPECT_EQ(sessions(), 1U);
  EXPECT_EQ(leave("eth0", udp("192.0.2.9", 5353, "10.65.0.1", 1000)),
            Texts{"cali-a 10.96.0.1:53 > 10.65.0.1:1000"});
}

TEST_F(EngineBackendsTest, DatagramsStayWhereTheyAreWhileTheirBackendIsListed) {
  set_backends({{"192.0.2.8"}});
  leave("cali-a", query());
  for (const Listed& before : {Listed{"192.0.2.8", true, false}, Listed{"192.0.2.8", false, true},
                               Listed{"192.0.2.8", false, false}}) {
    set_backends({before, {"192.0.2.9"}});
    EXPECT_EQ(leave("cali-a", query()), Texts{"eth0 10.65.0.1:1000 > 192.0.2.8:5353"});
  }
}

TEST_F(EngineBackendsTest, DatagramsAreRefusedWhenTheLastBackendIsGone) {
  set_backends({{"192.0.2.8"}});
  leave("cali-a", query());
  set_backends({});
  EXPECT_EQ(leave_all("cali-a", {query(), query()}), Texts{});
  EXPECT_EQ(drops(DropReason::service_no_backend), 2U) << all_drops();
  EXPECT_EQ(sessions(), 0U);
}

TEST_F(EngineBackendsTest, ABackendThatTakesTheNumberOfOneThatIsGoneDoesNotInheritItsFlows) {
  set_backends({{"192.0.2.8"}});
  leave("cali-a", query());
  for (int i = 0; i < 3; ++i) {  // the number waits for the workers before it is used again
    set_backends({});
    engine_->reclaim();
    set_backends({{"192.0.2.9"}});
  }
  EXPECT_EQ(leave("cali-a", query()), Texts{"eth0 10.65.0.1:1000 > 192.0.2.9:5353"});
}

TEST_F(EngineBackendsTest, ASynThatIsTriedAgainKeepsItsBackendForAsLongAsThatLives) {
  set_backends({{"192.0.2.8"}});
  EXPECT_EQ(leave("cali-a", to_service(k_syn)), Texts{"eth0 10.65.0.1:1000 > 192.0.2.8:5353"});
  set_backends({{"192.0.2.8"}, {"192.0.2.9"}, {"192.0.2.10"}, {"192.0.2.11"}});
  EXPECT_EQ(leave("cali-a", to_service(k_syn)), Texts{"eth0 10.65.0.1:1000 > 192.0.2.8:5353"});
  set_backends({{"192.0.2.9"}});
  leave("eth0", from_backend("192.0.2.8", k_syn | k_ack));  // too late: that one is none any more
  EXPECT_EQ(leave_all("cali-a", {to_service(k_syn), to_service(k_syn)}),
            Texts(2, "eth0 10.65.0.1:1000 > 192.0.2.9:5353"));
}

TEST_F(EngineBackendsTest, AConnectionOutlivesItsBackendsPlaceInTheService) {
  set_backends({{"192.0.2.8"}});
  leave("cali-a", to_service(k_syn));
  leave("eth0", from_backend("192.0.2.8", k_syn | k_ack));
  leave("cali-a", to_service(k_ack));
  set_backends({{"192.0.2.9"}});
  EXPECT_EQ(leave("cali-a", to_service(k_ack)), Texts{"eth0 10.65.0.1:1000 > 192.0.2.8:5353"});
  EXPECT_EQ(leave("eth0", from_backend("192.0.2.8", k_ack)),
            Texts{"cali-a 10.96.0.1:53 > 10.65.0.1:1000"});
}

TEST_F(EngineBackendsTest, AnAddressGoesWhereItsRouteSaysAgainWhenTheServiceLetsItGo) {
  const auto address = *base::Prefix::parse("192.0.2.80");
  const auto query = udp("198.51.100.1", 1000, "192.0.2.80", 53);
  const auto mac_of_next_hop = [&] { return send("eth0", query).at(0).frame[5]; };
  const auto route_to = [&](uint8_t last_of_mac) {
    engine_->forwarding().set_route(address, {.mac = {{2, 0, 0, 0, 0, last_of_mac}}});
    engine_->publish();
  };
  const auto of_service = Texts{"cali-b 198.51.100.1:1000 > 10.65.0.2:5353"};
  route_to(7);
  EXPECT_EQ(mac_of_next_hop(), 7);
  set_backends({{"10.65.0.2"}}, "192.0.2.80");
  EXPECT_EQ(leave("eth0", query), of_service);
  route_to(8);
  EXPECT_EQ(leave("eth0", query), of_service) << "the service is still there";
  engine_->remove_service("dns");
  engine_->publish();
  EXPECT_EQ(mac_of_next_hop(), 8);
  set_backends({{"10.65.0.2"}}, "192.0.2.80");
  engine_->forwarding().erase_route(address);
  engine_->publish();
  EXPECT_EQ(leave("eth0", query), of_service);
}

TEST_F(EngineBackendsTest, TheNodesOwnAddressStaysItsOwn) {
  const auto ping = from("").ipv4("10.65.0.1", "172.18.0.1").echo(false, 7).build();
  set_backends({{"10.65.0.2"}}, "172.18.0.1");
  EXPECT_EQ(leave("eth0", udp("198.51.100.1", 1000, "172.18.0.1", 53)),
            Texts{"cali-b 198.51.100.1:1000 > 10.65.0.2:5353"});
  engine_->remove_service("dns");
  engine_->publish();
  EXPECT_EQ(send("cali-a", ping).size(), 1U) << all_drops();
}

}  // namespace
}  // namespace margay::vector
