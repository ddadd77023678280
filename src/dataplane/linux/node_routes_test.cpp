#include "dataplane/linux/node_routes_fixture.h"

#include <fmt/format.h>

#include <gmock/gmock.h>

#include "net/conntrack.h"
#include "net/interface_address.h"
#include "net/sysctl.h"

namespace margay::dataplane::linux_host {
namespace {

TEST_F(NodeRoutesTest, LeadToAWorkloadThroughItsInterface) {
  add_interface("cali1");
  give({workload("cali1"), local_route("10.65.0.2", "cali1"), local_route("fd00::2", "cali1")});
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali1 scope link"));
  EXPECT_THAT(v6(), HasSubstr("fd00::2 dev cali1"));
  const std::string neighbours =
      output({"ip", "neigh", "show", "dev", "cali1", "nud", "permanent"});
  EXPECT_THAT(neighbours, HasSubstr("10.65.0.2 lladdr 02:00:00:00:00:01 PERMANENT"));
  EXPECT_THAT(neighbours, HasSubstr("fd00::2 lladdr 02:00:00:00:00:01 PERMANENT"));
}

TEST_F(NodeRoutesTest, OfAFamilyWithoutPolicyAreOnlyTakenAway) {
  add_interface("cali1");
  give({workload("cali1"), local_route("fd00::1", "cali1")});
  for (const auto& delta : {local_route("10.65.0.2", "cali1"), local_route("fd00::2", "cali1"),
                            policy::Delta(policy::RouteRemove{net("fd00::1")})})
    routes_->on_delta(delta);
  ASSERT_TRUE(routes_->apply({policy::IPFamily::v4}));
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali1"));
  EXPECT_THAT(v6(), Not(HasSubstr("fd00::")));
  give({});
  EXPECT_THAT(v6(), HasSubstr("fd00::2 dev cali1"));
}

TEST_F(NodeRoutesTest, SetTheInterfaceUpBeforeItCarriesAnything) {
  add_interface("cali1");
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  for (const auto& [parameter, value] :
       std::map<std::string, std::string>{{"net/ipv4/conf/cali1/rp_filter", "1"},
                                          {"net/ipv4/conf/cali1/proxy_arp", "1"},
                                          {"net/ipv4/conf/cali1/forwarding", "1"},
                                          {"net/ipv4/neigh/cali1/proxy_delay", "0"},
                                          {"net/ipv6/conf/cali1/proxy_ndp", "1"},
                                          {"net/ipv6/conf/cali1/accept_ra", "0"},
                                          {"net/ipv4/ip_forward", "1"},
                                          {"net/ipv6/conf/all/forwarding", "1"}})
    EXPECT_EQ(net::read_sysctl(parameter).value_or("?"), value) << parameter;
}

TEST_F(NodeRoutesTest, WaitForAnInterfaceThatComesLater) {
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  EXPECT_THAT(v4(), IsEmpty());
  add_interface("cali1");
  routes_->on_interface_change("cali1", true);
  give({});
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali1"));
}

TEST_F(NodeRoutesTest, ComeBackWithAnInterfaceThatWasDown) {
  add_interface("cali1");
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  ASSERT_TRUE(net::change_link(*socket_, "cali1", {.up = false}));
  routes_->on_interface_change("cali1", false);
  give({});
  EXPECT_THAT(v4(), IsEmpty());
  ASSERT_TRUE(net::change_link(*socket_, "cali1", {.up = true}));
  routes_->on_interface_change("cali1", true);
  give({});
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali1"));
}

TEST_F(NodeRoutesTest, LeadNowhereWhenTheEndpointIsDown) {
  add_interface("cali1");
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  give({workload("cali1", false)});
  EXPECT_THAT(v4(), IsEmpty());
  give({workload("cali1", true)});
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali1"));
}

TEST_F(NodeRoutesTest, LeadNowhereWithoutPolicyForTheInterface) {
  add_interface("tap1");
  add_interface("cali1");
  give({workload("tap1"), local_route("10.65.0.2", "tap1"), local_route("10.65.0.3", "cali1")});
  EXPECT_THAT(v4(), IsEmpty());
}

// The next owner may be told of before the removal of the one before.
TEST_F(NodeRoutesTest, StayWithTheNewOwnerOfAnInterface) {
  add_interface("cali1");
  auto second = std::get<policy::WorkloadUpdate>(workload("cali1"));
  second.workload.endpoint.key.workload = "default/z";
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  give({second, policy::WorkloadRemove{{"node", "k8s", "default/cali1", "eth0"}}});
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali1"));
  give({policy::WorkloadRemove{second.workload.endpoint.key}});
  EXPECT_THAT(v4(), IsEmpty());
}

TEST_F(NodeRoutesTest, TellWhatAnEndpointWaitsFor) {
  const policy::WorkloadKey key{"node", "k8s", "default/cali1", "eth0"};
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  ASSERT_TRUE(routes_->obstacle_of(key));
  EXPECT_FALSE(routes_->obstacle_of(key)->failed);
  EXPECT_THAT(routes_->obstacle_of(key)->reason,
              HasSubstr("waiting for its interface: interface cali1 is not there"));
  add_interface("cali1");
  routes_->on_interface_change("cali1", true);
  give({});
  EXPECT_FALSE(routes_->obstacle_of(key));
  give({workload("cali1", false)});
  EXPECT_EQ(routes_->obstacle_of(key)->reason, "administratively down");
  give({workload("tap1")});
  EXPECT_TRUE(routes_->obstacle_of({"node", "k8s", "default/tap1", "eth0"})->failed);
}

TEST_F(NodeRoutesTest, MoveWithAnAddress) {
  add_interface("cali1");
  add_interface("cali2");
  give({workload("cali1"), workload("cali2"), local_route("10.65.0.2", "cali1")});
  give({local_route("10.65.0.2", "cali2")});
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali2"));
  EXPECT_THAT(v4(), Not(HasSubstr("cali1")));
}

TEST_F(NodeRoutesTest, GoWithTheEndpoint) {
  add_interface("cali1");
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  give({policy::RouteRemove{net("10.65.0.2")},
        policy::WorkloadRemove{{"node", "k8s", "default/cali1", "eth0"}}});
  EXPECT_THAT(v4(), IsEmpty());
  EXPECT_THAT(output({"ip", "neigh", "show", "dev", "cali1", "nud", "permanent"}), IsEmpty());
}

TEST_F(NodeRoutesTest, EndInTheNodesOwnBlocks) {
  give({policy::RouteUpdate{
            {.destination = net("10.65.0.0/26"), .kind = ProgramRoute::Kind::local_block}},
        policy::RouteUpdate{
            {.destination = net("fd00::/122"), .kind = ProgramRoute::Kind::local_block}}});
  EXPECT_THAT(v4(), HasSubstr("blackhole 10.65.0.0/26"));
  EXPECT_THAT(v6(), HasSubstr("blackhole fd00::/122"));
}

TEST_F(NodeRoutesTest, LeadToOtherNodes) {
  add_uplink();
  give({policy::RouteUpdate{{.destination = net("10.65.1.0/26"),
                             .kind = ProgramRoute::Kind::remote_workload,
                             .node = "other",
                             .next_hop = ip("192.0.2.2"),
                             .same_subnet = true}}});
  EXPECT_THAT(v4(), HasSubstr("10.65.1.0/26 via 192.0.2.2 dev uplink"));
  ASSERT_TRUE(net::change_link(*socket_, "uplink", {.up = false}));
  routes_->on_interface_change("uplink", false);
  EXPECT_FALSE(routes_->apply(k_both));
  ASSERT_TRUE(net::change_link(*socket_, "uplink", {.up = true}));
  routes_->on_interface_change("uplink", true);
  give({});
  EXPECT_THAT(v4(), HasSubstr("10.65.1.0/26 via 192.0.2.2 dev uplink"));
}

TEST_F(NodeRoutesTest, TakeNobodyElsesPlace) {
  add_uplink();
  output({"ip", "route", "add", "10.65.1.0/26", "via", "192.0.2.9"});
  give({policy::RouteUpdate{
      {.destination = net("10.65.1.0/26"), .kind = ProgramRoute::Kind::local_block}}});
  EXPECT_THAT(output({"ip", "route"}), HasSubstr("10.65.1.0/26 via 192.0.2.9"));
  output({"ip", "route", "del", "10.65.1.0/26"});
  routes_->resync();
  give({});
  EXPECT_THAT(v4(), HasSubstr("blackhole 10.65.1.0/26"));
}

TEST_F(NodeRoutesTest, TakeThePlaceOfWhatCalicosProgramsMade) {
  add_uplink();
  output({"ip", "route", "add", "10.65.1.0/26", "via", "192.0.2.9", "proto", "bird"});
  output({"ip", "route", "add", "10.65.2.0/26", "via", "192.0.2.9", "proto", "80"});
  output({"ip", "route", "add", "blackhole", "10.65.3.0/26", "proto", "bird"});
  const Config config{.node = "node", .route_protocol = 77};
  auto routes = std::move(*NodeRoutes::create(config));
  for (const char* block : {"10.65.1.0/26", "10.65.2.0/26", "10.65.3.0/26"})
    routes->on_delta(
        policy::RouteUpdate{{.destination = net(block), .kind = ProgramRoute::Kind::local_block}});
  ASSERT_TRUE(routes->apply(k_both));
  const auto all = output({"ip", "route"});
  EXPECT_THAT(all, HasSubstr("blackhole 10.65.1.0/26 proto 77"));
  EXPECT_THAT(all, HasSubstr("blackhole 10.65.2.0/26 proto 77"));
  EXPECT_THAT(all, HasSubstr("blackhole 10.65.3.0/26 proto bird")) << "does what is wanted";
}

TEST_F(NodeRoutesTest, OfAnEarlierRunGoWhenTheyAreNotWanted) {
  add_interface("cali1");
  output({"ip", "route", "add", "10.65.9.9", "dev", "cali1", "proto", "80"});
  output({"ip", "route", "add", "10.65.8.8", "dev", "cali1"});
  give({});
  const std::string routes = output({"ip", "route", "show"});
  EXPECT_THAT(routes, Not(HasSubstr("10.65.9.9")));
  EXPECT_THAT(routes, HasSubstr("10.65.8.8"));
}

TEST_F(NodeRoutesTest, AreRepairedAfterAResync) {
  add_interface("cali1");
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  output({"ip", "route", "del", "10.65.0.2"});
  output({"sysctl", "-qw", "net.ipv4.conf.cali1.rp_filter=0"});
  routes_->resync();
  give({});
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali1"));
  EXPECT_EQ(net::read_sysctl("net/ipv4/conf/cali1/rp_filter").value_or("?"), "1");
}

TEST_F(NodeRoutesTest, AllGoAtCleanUp) {
  add_interface("cali1");
  give({workload("cali1"), local_route("10.65.0.2", "cali1"), local_route("fd00::2", "cali1")});
  ASSERT_TRUE(routes_->clean_up());
  EXPECT_THAT(v4() + v6(), IsEmpty());
}

// The kernel's, `ip route`'s (which is what Calico's agent uses by default) and a routing daemon's.
TEST_F(NodeRoutesTest, RoutesOfOthersStayWhateverTheProtocol) {
  const auto all = [&] { return output({"ip", "-4", "route"}); };
  for (const int protocol : {2, 3, 4, 12}) {
    const auto up = fmt::format("up{}", protocol);
    const auto net = fmt::format("192.0.{}", protocol);
    add_interface(up);
    output({"ip", "addr", "add", net + ".1/24", "dev", up});
    const auto number = std::to_string(protocol);
    output({"ip", "route", "add", "198.51.100.0/24", "via", net + ".254", "proto", number});
    output({"ip", "route", "add", "blackhole", "203.0.113.0/24", "proto", number});
    add_interface("cali1");
    const std::string before = all();
    const Config config{.node = "node", .route_protocol = static_cast<uint8_t>(protocol)};
    auto routes = std::move(*NodeRoutes::create(config));
    EXPECT_TRUE(routes->apply(k_both));
    EXPECT_EQ(all(), before) << "protocol " << protocol;
    routes->on_delta(workload("cali1"));
    routes->on_delta(local_route("10.65.0.2", "cali1"));
    EXPECT_TRUE(routes->apply(k_both));
    EXPECT_THAT(all(), HasSubstr("10.65.0.2 dev cali1"));
    EXPECT_TRUE(routes->clean_up());
    EXPECT_EQ(all(), before) << "and its own goes";
    output({"ip", "link", "del", up});
    output({"ip", "link", "del", "cali1"});
    output({"ip", "route", "del", "blackhole", "203.0.113.0/24"});
  }
}

// What conntrack holds of a workload's address when the workload is gone, in the orders in which an
// agent may hear of that.
class FlowsOfAWorkloadTest : public NodeRoutesTest {
 protected:
  void SetUp() override {
    NodeRoutesTest::SetUp();
    if (IsSkipped()) return;
    add_interface("cali1");
    give({workload("cali1"), local_route("10.65.0.2", "cali1")});
    track_flow();
  }
  static void track_flow() {
    output({"conntrack", "-I", "-p", "tcp", "-t", "600", "--state", "ESTABLISHED", "-u",
            "SEEN_REPLY", "-s", "10.65.0.2", "-d", "192.0.2.9", "--sport", "1000", "--dport",
            "80"});
    ASSERT_TRUE(is_tracked());
  }
  static bool is_tracked() { return output({"conntrack", "-L"}).contains("src=10.65.0.2"); }

  void remove_link(const std::string& name = "cali1") {
    ASSERT_TRUE(net::delete_link(*socket_, name));
    routes_->on_interface_change(name, false);
  }
  void apply() { ASSERT_TRUE(routes_->apply(k_both)); }

  const std::vector<policy::Delta> removal_{
      policy::RouteRemove{net("10.65.0.2")},
      policy::WorkloadRemove{{"node", "k8s", "default/cali1", "eth0"}}};
};

TEST_F(FlowsOfAWorkloadTest, GoWhenTheLinkGoesFirst) {
  remove_link();
  apply();
  EXPECT_TRUE(is_tracked()) << "the workload may come back";
  give(removal_);
  EXPECT_FALSE(is_tracked());
}

TEST_F(FlowsOfAWorkloadTest, GoWhenTheDeltaComesFirst) {
  give(removal_);
  EXPECT_FALSE(is_tracked());
  remove_link();
  apply();
}

TEST_F(FlowsOfAWorkloadTest, GoWhenBothComeAtOnce) {
  for (const auto& delta : removal_) routes_->on_delta(delta);
  remove_link();
  apply();
  EXPECT_FALSE(is_tracked());
}

TEST_F(FlowsOfAWorkloadTest, StayWhenTheLinkOnlyWentDownAndUp) {
  ASSERT_TRUE(net::change_link(*socket_, "cali1", {.up = false}));
  routes_->on_interface_change("cali1", false);
  apply();
  ASSERT_TRUE(net::change_link(*socket_, "cali1", {.up = true}));
  routes_->on_interface_change("cali1", true);
  apply();
  EXPECT_TRUE(is_tracked());
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali1"));
}

TEST_F(FlowsOfAWorkloadTest, StayAcrossARestartAndAResync) {
  routes_->resync();
  apply();
  routes_ = std::move(*NodeRoutes::create(config_));
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  EXPECT_TRUE(is_tracked());
}

TEST_F(FlowsOfAWorkloadTest, StayWhenAnotherAgentsRouteLedThereBefore) {
  output({"ip", "route", "replace", "10.65.0.2", "dev", "cali1", "proto", "boot"});
  routes_ = std::move(*NodeRoutes::create(config_));
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  EXPECT_TRUE(is_tracked());
}

TEST_F(FlowsOfAWorkloadTest, GoBeforeAnInterfaceOfTheSameNameTakesTheAddress) {
  remove_link();
  apply();
  add_interface("cali1");
  routes_->on_interface_change("cali1", true);
  apply();
  EXPECT_FALSE(is_tracked());
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali1"));
}

TEST_F(FlowsOfAWorkloadTest, GoBeforeAnotherWorkloadTakesTheAddress) {
  add_interface("cali2");
  give({workload("cali2"), local_route("10.65.0.2", "cali2")});
  EXPECT_FALSE(is_tracked());
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali2"));
}

TEST_F(FlowsOfAWorkloadTest, GoWhenTheWorkloadWentWhileWeWereAway) {
  routes_ = std::move(*NodeRoutes::create(config_));
  give({});
  EXPECT_FALSE(is_tracked());
}

TEST_F(FlowsOfAWorkloadTest, GoWhenTheAddressWentWhileWeWereAwayAndHasANewOwner) {
  ASSERT_TRUE(net::delete_link(*socket_, "cali1"));  // and with it its route
  routes_ = std::move(*NodeRoutes::create(config_));
  add_interface("cali2");
  give({workload("cali2"), local_route("10.65.0.2", "cali2")});
  EXPECT_FALSE(is_tracked());
}

TEST_F(FlowsOfAWorkloadTest, KeepTheAddressFromTheNextWorkloadUntilTheyAreGone) {
  int failures_to_come = 2;
  routes_ = std::move(*NodeRoutes::create(
      config_, [&](std::span<const base::IPAddress> addresses) -> base::Result<> {
        if (failures_to_come-- > 0)
          return base::fail(base::ErrorCode::unavailable, "conntrack is busy");
        return net::Conntrack::open()->forget(addresses);
      }));
  give({workload("cali1"), local_route("10.65.0.2", "cali1")});
  remove_link();
  for (const auto& delta : removal_) routes_->on_delta(delta);
  const auto first = routes_->apply(k_both);
  ASSERT_FALSE(first);
  EXPECT_THAT(first.error().message, HasSubstr("conntrack is busy"));
  add_interface("cali2");
  for (const auto& delta : {workload("cali2"), local_route("10.65.0.2", "cali2")})
    routes_->on_delta(delta);
  EXPECT_FALSE(routes_->apply(k_both));
  EXPECT_THAT(v4(), IsEmpty());
  EXPECT_TRUE(is_tracked());
  apply();
  EXPECT_FALSE(is_tracked());
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali2"));
}

}  // namespace
}  // namespace margay::dataplane::linux_host
