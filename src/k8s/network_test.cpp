#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "k8s/convert.h"

namespace margay::k8s {
namespace {

using policy::Encapsulation;
using policy::IPAddress;
using policy::Prefix;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

IPAddress address(std::string_view text) { return *IPAddress::parse(text); }
Prefix net(std::string_view text) { return *Prefix::parse(text); }

TEST(IPPool, IsReadAndMasked) {
  api::IPPool object;
  object.metadata.name = "default";
  object.spec = {.cidr = "10.0.0.1/16",
                 .vxlan_mode = "CrossSubnet",
                 .ipip_mode = "Never",
                 .nat_outgoing = true};
  const auto pool = pool_of(object);
  ASSERT_TRUE(pool);
  EXPECT_EQ(*pool, (policy::IPPool{.name = "default",
                                   .cidr = net("10.0.0.0/16"),
                                   .nat_outgoing = true,
                                   .vxlan = Encapsulation::cross_subnet}));
  object.spec.cidr = "10.0.0.0/33";
  object.spec.ipip_mode = "Sometimes";
  ASSERT_FALSE(pool_of(object));
  EXPECT_EQ(pool_of(object).error().fields.size(), 2U);
}

TEST(Node, AddressesOfBGPCountFirst) {
  api::CalicoNode object;
  object.metadata.name = "node-a";
  object.spec.bgp = api::NodeBGPSpec{.ipv4_address = "192.0.2.1/24"};
  object.spec.addresses = {{"198.51.100.1"}, {"2001:db8::1/64"}, {"2001:db8::2/64"}};
  object.spec.ipv4_vxlan_tunnel_addr = "10.0.0.1";
  object.spec.vxlan_tunnel_mac_addr = "66:00:00:00:00:01";
  const auto host = host_of(object);
  ASSERT_TRUE(host);
  EXPECT_EQ(*host, (policy::Host{.name = "node-a",
                                 .v4 = address("192.0.2.1"),
                                 .v6 = address("2001:db8::1"),
                                 .v4_subnet = net("192.0.2.0/24"),
                                 .v6_subnet = net("2001:db8::/64"),
                                 .vxlan_v4 = address("10.0.0.1"),
                                 .vxlan_mac = "66:00:00:00:00:01"}));
}

TEST(Node, IsInTheZoneOfItsLabel) {
  api::CalicoNode object;
  EXPECT_EQ(host_of(object)->zone, "");
  object.metadata.labels["topology.kubernetes.io/zone"] = "a";
  EXPECT_EQ(host_of(object)->zone, "a");
}

TEST(Node, AnAddressOfTheWrongFamilyIsRefused) {
  api::CalicoNode object;
  object.spec.bgp = api::NodeBGPSpec{.ipv4_address = "2001:db8::1/64"};
  const auto refused = host_of(object);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fields.at(0).path, "spec.bgp.ipv4Address");
}

TEST(IPAMBlock, SaysWhoseItIsAndWhoBorrows) {
  api::IPAMBlock object;
  object.spec.cidr = "10.0.0.0/30";
  object.spec.affinity = "host:node-a";
  object.spec.allocations = {0, std::nullopt, 1, 2};
  object.spec.attributes = {{.secondary = {{"node", "node-a"}}},
                            {.secondary = {{"node", "node-b"}}},
                            {.secondary = {{"type", "ipipTunnelAddress"}}}};
  const auto block = block_of(object);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->cidr, net("10.0.0.0/30"));
  EXPECT_EQ(block->node, "node-a");
  EXPECT_THAT(block->borrowed, ElementsAre(Pair(address("10.0.0.2"), "node-b")));

  object.spec.affinity.reset();
  object.spec.attributes.pop_back();
  object.spec.allocations = {std::nullopt};
  EXPECT_EQ(block_of(object)->node, "");
  object.spec.allocations = {2};
  ASSERT_FALSE(block_of(object));
  EXPECT_EQ(block_of(object).error().fields.at(0).path, "spec.allocations[0]");
  object.spec.allocations.clear();
  for (const char* wide : {"0.0.0.0/0", "10.0.0.0/19", "::/0", "fd00::/115"}) {
    object.spec.cidr = wide;
    ASSERT_FALSE(block_of(object)) << wide;
    EXPECT_EQ(block_of(object).error().fields.at(0).path, "spec.cidr");
  }
}

}  // namespace
}  // namespace margay::k8s
