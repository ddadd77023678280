#include "dataplane/iptables/node_routes.h"

#include <gmock/gmock.h>

#include "dataplane/iptables/kernel_fixture.h"
#include "net/interface_address.h"
#include "net/sysctl.h"

namespace margay::dataplane::iptables {
namespace {

using policy::IPAddress;
using policy::Prefix;
using policy::ProgramRoute;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

IPAddress ip(const char* text) { return *IPAddress::parse(text); }
Prefix net(const char* text) { return *Prefix::parse(text); }

policy::Delta workload(const std::string& interface, bool admin_up = true) {
  policy::ProgramWorkload workload;
  workload.endpoint = {.key = {"node", "k8s", "default/" + interface, "eth0"},
                       .interface_name = interface,
                       .mac = "02:00:00:00:00:01",
                       .admin_up = admin_up};
  return policy::WorkloadUpdate{workload};
}

policy::Delta local_route(const char* destination, const std::string& interface) {
  return policy::RouteUpdate{{.destination = net(destination),
                              .kind = ProgramRoute::Kind::local_workload,
                              .interface_name = interface}};
}

class NodeRoutesTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    routes_ = std::move(*NodeRoutes::create(config_));
  }
  void give(const std::vector<policy::Delta>& deltas) {
    for (const auto& delta : deltas) routes_->on_delta(delta);
    const auto applied = routes_->apply();
    ASSERT_TRUE(applied) << applied.error().message;
  }
  static std::string v4() { return output({"ip", "-4", "route", "show", "proto", "80"}); }
  static std::string v6() { return output({"ip", "-6", "route", "show", "proto", "80"}); }

  const Config config_{.node = "node"};
  std::unique_ptr<NodeRoutes> routes_;
};

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

TEST_F(NodeRoutesTest, FollowTheFirstOfTwoEndpointsThatClaimAnInterface) {
  add_interface("cali1");
  auto second = std::get<policy::WorkloadUpdate>(workload("cali1", false));
  second.workload.endpoint.key.workload = "default/z";
  give({workload("cali1"), second, local_route("10.65.0.2", "cali1")});
  EXPECT_THAT(v4(), HasSubstr("10.65.0.2 dev cali1"));
  give({policy::WorkloadRemove{{"node", "k8s", "default/cali1", "eth0"}}});
  EXPECT_THAT(v4(), IsEmpty());
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
  add_interface("uplink");
  ASSERT_TRUE(net::add_address(*socket_, {.link = net::get_link(*socket_, "uplink")->index,
                                          .address = ip("192.0.2.1"),
                                          .prefix_length = 24}));
  give({policy::RouteUpdate{{.destination = net("10.65.1.0/26"),
                             .kind = ProgramRoute::Kind::remote_workload,
                             .node = "other",
                             .next_hop = ip("192.0.2.2"),
                             .same_subnet = true}}});
  EXPECT_THAT(v4(), HasSubstr("10.65.1.0/26 via 192.0.2.2 dev uplink"));
  ASSERT_TRUE(net::change_link(*socket_, "uplink", {.up = false}));
  routes_->on_interface_change("uplink", false);
  EXPECT_FALSE(routes_->apply());
  ASSERT_TRUE(net::change_link(*socket_, "uplink", {.up = true}));
  routes_->on_interface_change("uplink", true);
  give({});
  EXPECT_THAT(v4(), HasSubstr("10.65.1.0/26 via 192.0.2.2 dev uplink"));
}

TEST_F(NodeRoutesTest, LeadToOtherNodesThroughTheTunnel) {
  add_interface("uplink");
  ASSERT_TRUE(net::add_address(*socket_, {.link = net::get_link(*socket_, "uplink")->index,
                                          .address = ip("192.0.2.1"),
                                          .prefix_length = 24}));
  const policy::Delta pool = policy::PoolUpdate{
      {.name = "p", .cidr = net("10.65.0.0/16"), .vxlan = policy::Encapsulation::always}};
  give({pool,
        policy::HostUpdate{{.name = "node",
                            .v4 = ip("192.0.2.1"),
                            .vxlan_v4 = ip("10.65.0.1"),
                            .vxlan_mac = "66:00:00:00:00:01"}},
        policy::TunnelUpdate{{.node = "other",
                              .node_address = ip("198.51.100.2"),
                              .tunnel_address = ip("10.65.1.1"),
                              .tunnel_mac = "66:00:00:00:00:02"}},
        policy::RouteUpdate{{.destination = net("10.65.1.0/26"),
                             .kind = ProgramRoute::Kind::remote_workload,
                             .node = "other",
                             .next_hop = ip("198.51.100.2"),
                             .vxlan = policy::Encapsulation::always}}});
  EXPECT_THAT(v4(), HasSubstr("10.65.1.0/26 via 10.65.1.1 dev vxlan.calico onlink"));
  EXPECT_THAT(output({"ip", "-d", "link", "show", "vxlan.calico"}),
              testing::AllOf(HasSubstr("vxlan id 4096 local 192.0.2.1 dev uplink"),
                             HasSubstr("dstport 4789 nolearning"), HasSubstr("66:00:00:00:00:01"),
                             HasSubstr("mtu 1450")));
  EXPECT_THAT(output({"ip", "neigh", "show", "dev", "vxlan.calico"}),
              HasSubstr("10.65.1.1 lladdr 66:00:00:00:00:02 PERMANENT"));
  EXPECT_THAT(output({"bridge", "fdb", "show", "dev", "vxlan.calico"}),
              HasSubstr("66:00:00:00:00:02 dst 198.51.100.2"));

  give({policy::TunnelRemove{"other", policy::IPFamily::v4},
        policy::RouteRemove{net("10.65.1.0/26")}});
  EXPECT_THAT(v4(), IsEmpty());
  EXPECT_THAT(output({"bridge", "fdb", "show", "dev", "vxlan.calico"}),
              Not(HasSubstr("198.51.100.2")));
  give({policy::PoolRemove{"p"}});
  EXPECT_FALSE(net::get_link(*socket_, "vxlan.calico"));
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

}  // namespace
}  // namespace margay::dataplane::iptables
