#include "dataplane/linux/node_routes_fixture.h"

namespace margay::dataplane::linux_host {
namespace {

class TunnelRoutesTest : public NodeRoutesTest {
 protected:
  // This node's end of the overlay, and whatever else.
  void begin_overlay(const std::vector<policy::Delta>& deltas) {
    add_uplink();
    std::vector<policy::Delta> all = {
        policy::PoolUpdate{
            {.name = "p", .cidr = net("10.65.0.0/16"), .vxlan = policy::Encapsulation::always}},
        policy::HostUpdate{{.name = "node",
                            .v4 = ip("192.0.2.1"),
                            .vxlan_v4 = ip("10.65.0.1"),
                            .vxlan_mac = "66:00:00:00:00:01"}}};
    all.insert(all.end(), deltas.begin(), deltas.end());
    give(all);
  }
  static policy::Delta tunnel(const char* node, const char* node_address, const char* address,
                              const char* mac = "66:00:00:00:00:02") {
    return policy::TunnelUpdate{{.node = node,
                                 .node_address = ip(node_address),
                                 .tunnel_address = ip(address),
                                 .tunnel_mac = mac}};
  }
  static policy::Delta block(const char* cidr, const char* node, const char* node_address) {
    return policy::RouteUpdate{{.destination = net(cidr),
                                .kind = ProgramRoute::Kind::remote_workload,
                                .node = node,
                                .next_hop = ip(node_address),
                                .vxlan = policy::Encapsulation::always}};
  }
  static std::string neighbours() { return output({"ip", "neigh", "show", "dev", "vxlan.calico"}); }
  static std::string forwarding() {
    return output({"bridge", "fdb", "show", "dev", "vxlan.calico"});
  }
};

TEST_F(TunnelRoutesTest, LeadToOtherNodes) {
  begin_overlay({tunnel("other", "198.51.100.2", "10.65.1.1"),
                 block("10.65.1.0/26", "other", "198.51.100.2")});
  EXPECT_THAT(v4(), HasSubstr("10.65.1.0/26 via 10.65.1.1 dev vxlan.calico onlink"));
  EXPECT_THAT(output({"ip", "-d", "link", "show", "vxlan.calico"}),
              testing::AllOf(HasSubstr("vxlan id 4096 local 192.0.2.1 dev uplink"),
                             HasSubstr("dstport 4789 nolearning"), HasSubstr("66:00:00:00:00:01"),
                             HasSubstr("mtu 1450")));
  EXPECT_THAT(neighbours(), HasSubstr("10.65.1.1 lladdr 66:00:00:00:00:02 PERMANENT"));
  EXPECT_THAT(forwarding(), HasSubstr("66:00:00:00:00:02 dst 198.51.100.2"));

  give({policy::TunnelRemove{"other", policy::IPFamily::v4},
        policy::RouteRemove{net("10.65.1.0/26")}});
  EXPECT_THAT(v4(), IsEmpty());
  EXPECT_THAT(forwarding(), Not(HasSubstr("198.51.100.2")));
  give({policy::PoolRemove{"p"}});
  EXPECT_FALSE(net::get_link(*socket_, "vxlan.calico"));
}

// Felix's default is 3; and deviceRouteProtocol may be changed while the device stays.
TEST_F(TunnelRoutesTest, AreTakenOverFromAnAgentUnderAnotherProtocol) {
  begin_overlay({tunnel("other", "198.51.100.2", "10.65.1.1"),
                 tunnel("third", "198.51.100.3", "10.65.2.1", "66:00:00:00:00:03"),
                 block("10.65.9.0/26", "other", "198.51.100.2")});
  for (const char* cidr : {"10.65.1.0/26", "10.65.2.0/26", "10.65.3.0/26"})
    output({"ip", "route", "add", cidr, "via", "10.65.1.1", "dev", "vxlan.calico", "onlink",
            "proto", "3"});
  output({"ip", "route", "add", "10.65.9.0/26", "metric", "5", "via", "10.65.2.1", "dev",
          "vxlan.calico", "onlink", "proto", "3"});
  routes_->resync();
  give({block("10.65.1.0/26", "other", "198.51.100.2"),
        block("10.65.2.0/26", "third", "198.51.100.3")});
  const auto all = [] { return output({"ip", "-4", "route"}); };
  EXPECT_THAT(all(), HasSubstr("10.65.1.0/26 via 10.65.1.1"));
  EXPECT_THAT(all(), HasSubstr("10.65.2.0/26 via 10.65.2.1"));
  EXPECT_THAT(all(), Not(HasSubstr("10.65.3.0/26"))) << "nobody's block";
  EXPECT_THAT(all(), Not(HasSubstr("metric 5"))) << "beside ours";
  give({block("10.65.1.0/26", "third", "198.51.100.3")});
  EXPECT_THAT(all(), HasSubstr("10.65.1.0/26 via 10.65.2.1"));
  EXPECT_THAT(all(), Not(HasSubstr("via 10.65.1.1 dev vxlan.calico proto 3")));
  give({policy::RouteRemove{net("10.65.1.0/26")}, policy::RouteRemove{net("10.65.2.0/26")}});
  EXPECT_THAT(all(), Not(HasSubstr("10.65.1.0/26")));
  EXPECT_THAT(all(), Not(HasSubstr("10.65.2.0/26")));
}

// It was this node's under a former deviceRouteProtocol.
TEST_F(TunnelRoutesTest, TakeThePlaceOfABlackholeThatTheBlockHadHere) {
  for (const char* cidr : {"10.65.1.0/26", "10.65.2.0/26"})
    output({"ip", "route", "add", "blackhole", cidr, "proto", "77"});
  begin_overlay({tunnel("other", "198.51.100.2", "10.65.1.1"),
                 block("10.65.1.0/26", "other", "198.51.100.2"),
                 policy::RouteUpdate{{.destination = net("10.65.2.0/26"),
                                      .kind = ProgramRoute::Kind::local_block}}});
  EXPECT_THAT(v4(), HasSubstr("10.65.1.0/26 via 10.65.1.1 dev vxlan.calico onlink"));
  EXPECT_THAT(output({"ip", "-4", "route"}), Not(HasSubstr("blackhole 10.65.1.0/26")));
  give({policy::RouteRemove{net("10.65.2.0/26")}});
  EXPECT_THAT(output({"ip", "-4", "route"}), Not(HasSubstr("blackhole")));
}

// Whoever keeps one workload from being reached has his reasons.
TEST_F(TunnelRoutesTest, LeaveABlackholeForOneAddressAlone) {
  output({"ip", "route", "add", "blackhole", "10.65.1.9/32", "proto", "77"});
  begin_overlay({tunnel("other", "198.51.100.2", "10.65.1.1"),
                 block("10.65.1.9/32", "other", "198.51.100.2")});
  EXPECT_THAT(output({"ip", "-4", "route"}), HasSubstr("blackhole 10.65.1.9"));
}

// As it has when its pool is exchanged for another.
TEST_F(TunnelRoutesTest, FollowANodeThatHasAnotherTunnelAddress) {
  begin_overlay({tunnel("other", "198.51.100.2", "10.65.1.1"),
                 block("10.65.1.0/26", "other", "198.51.100.2"),
                 tunnel("third", "198.51.100.3", "10.65.2.1", "66:00:00:00:00:03"),
                 block("10.65.2.0/26", "third", "198.51.100.3")});
  give({tunnel("other", "198.51.100.2", "10.65.9.9")});
  EXPECT_THAT(v4(), HasSubstr("10.65.1.0/26 via 10.65.9.9 dev vxlan.calico onlink"));
  EXPECT_THAT(v4(), HasSubstr("10.65.2.0/26 via 10.65.2.1 dev vxlan.calico onlink"));
  give({policy::TunnelRemove{"other", policy::IPFamily::v4}});
  EXPECT_THAT(v4(), Not(HasSubstr("10.65.1.0/26"))) << "nobody has that gateway any more";
  give({tunnel("other", "198.51.100.2", "10.65.1.1")});
  EXPECT_THAT(v4(), HasSubstr("10.65.1.0/26 via 10.65.1.1 dev vxlan.calico onlink"));
}

// One node that announces nonsense does not cost the others their tunnels.
TEST_F(TunnelRoutesTest, LeaveOutATunnelWithoutAUsableMacAddress) {
  const char* at = "198.51.100.2";
  begin_overlay({tunnel("good", at, "10.65.1.1"), tunnel("bad", at, "10.65.2.1", "nonsense"),
                 tunnel("everybody", at, "10.65.3.1", "ff:ff:ff:ff:ff:ff"),
                 tunnel("nobody", at, "10.65.4.1", "00:00:00:00:00:00")});
  EXPECT_THAT(neighbours(), HasSubstr("10.65.1.1 lladdr 66:00:00:00:00:02"));
  for (const char* bad : {"10.65.2.1", "10.65.3.1", "10.65.4.1"})
    EXPECT_THAT(neighbours(), Not(HasSubstr(bad)));
}

// Two that announce the same cost nobody but themselves.
TEST_F(TunnelRoutesTest, OfAnAddressThatTwoNodesAnnounceTheFirstHasIt) {
  begin_overlay(
      {tunnel("b", "198.51.100.2", "10.65.1.1"), tunnel("a", "198.51.100.3", "10.65.1.1")});
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(forwarding(),
                testing::AllOf(HasSubstr("198.51.100.3"), Not(HasSubstr("198.51.100.2"))));
    routes_->resync();
    give({});
  }
}

}  // namespace
}  // namespace margay::dataplane::linux_host
