#include "node/tunnel_address.h"

#include <gtest/gtest.h>

#include "api/codec.h"
#include "api/json_path.h"
#include "ipam/ipam.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::node {
namespace {

class TunnelAddressTest : public testing::Test {
 protected:
  TunnelAddressTest() {
    put("nodes.projectcalico.org", "Node", "node1", R"({"bgp":{"ipv4Address":"192.0.2.1/24"}})");
  }
  void put(const std::string& resource, const std::string& kind, const std::string& name,
           const std::string& spec) {
    const store::Key key{resource, "", name};
    const auto value = R"({"apiVersion":"projectcalico.org/v3","kind":")" + kind +
                       R"(","metadata":{"name":")" + name + R"("},"spec":)" + spec + "}";
    const auto there = store_->get(key);
    const auto written =
        there ? store_->update(key, value, there->revision) : store_->create(key, value);
    ASSERT_TRUE(written) << written.error().message;
  }
  void put_pool(const std::string& name, const std::string& spec) {
    put("ippools.projectcalico.org", "IPPool", name, spec);
  }
  base::Result<> try_to_ensure() {
    const auto is_on_device = [this](const base::IPAddress& address) {
      return on_device_ == address.to_string();
    };
    return ensure_tunnel_addresses(*store_, "node1", is_on_device, given_);
  }
  std::string ensure() {
    const auto done = try_to_ensure();
    EXPECT_TRUE(done) << done.error().message;
    return named();
  }
  // Of the IPv4 tunnel, what the Node says; empty when there is none.
  std::string named() { return named("ipv4VXLANTunnelAddr"); }
  std::string named(std::string_view field) {
    const auto node = store_->get({"nodes.projectcalico.org", "", "node1"}).value();
    const auto object = api::parse_json(node.value).value();
    return std::string(api::text_at(object.as_object(), {"spec", field}));
  }

  bool is_held(const std::string& address) {
    const auto held = ipam::Ipam(*store_).addresses_of("vxlan-tunnel-addr-node1").value();
    return std::ranges::count(held, *base::IPAddress::parse(address)) > 0;
  }

  GivenTunnel given_;
  std::string on_device_;  // an address
  store::testing::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_ =
      store::sqlite::SqliteStore::open({.path = folder_.file("store.db")}).value();
};

std::string pool(const std::string& cidr, const std::string& mode) {
  return R"({"cidr":")" + cidr + R"(","vxlanMode":")" + mode + R"(","blockSize":26})";
}
const std::string k_bad = pool("10.66.0.0/33", "Always");

TEST_F(TunnelAddressTest, IsOfAPoolThatAsksForVxlanAndStays) {
  EXPECT_EQ(ensure(), "");
  put_pool("good", pool("10.65.0.0/16", "Always"));
  const auto address = ensure();
  EXPECT_TRUE(address.starts_with("10.65.")) << address;
  EXPECT_EQ(ensure(), address);
  put_pool("good", pool("10.65.0.0/16", "Never"));
  EXPECT_EQ(ensure(), "");
}

TEST_F(TunnelAddressTest, IsHeldUntilNeitherTheNodeNorTheDeviceHasIt) {
  put_pool("first", pool("10.65.0.0/26", "Always"));
  const auto first = ensure();
  put_pool("first", pool("10.65.0.0/26", "Never"));
  put_pool("second", pool("10.66.0.0/26", "Always"));
  on_device_ = first;
  EXPECT_FALSE(try_to_ensure()) << "comes again";
  EXPECT_TRUE(named().starts_with("10.66."));
  EXPECT_TRUE(is_held(first)) << "nobody else may get what the device has";
  on_device_ = named();
  EXPECT_EQ(ensure(), on_device_);
  EXPECT_FALSE(is_held(first));
}

TEST_F(TunnelAddressTest, StaysWhereNoOtherIsToBeHad) {
  put_pool("first", pool("10.65.0.0/26", "Always"));
  const auto first = ensure();
  put_pool("first", pool("10.65.0.0/26", "Never"));
  put_pool("second", pool("10.66.0.0/26", "Always"));
  ASSERT_TRUE(ipam::Ipam(*store_).assign({.owner = {.host = "node1", .handle_id = "pods"},
                                          .v4 = 64,
                                          .v4_pools = {*base::Prefix::parse("10.66.0.0/26")}}));
  EXPECT_FALSE(try_to_ensure());
  EXPECT_EQ(named(), first);
  EXPECT_TRUE(is_held(first));
}

TEST_F(TunnelAddressTest, IsWhatTheOperatorSaysWhileAPoolAsksForOne) {
  put_pool("good", pool("10.65.0.0/16", "Always"));
  const auto own = ensure();
  given_ = {*base::IPAddress::parse("10.200.0.1"), *net::MacAddress::parse("02:00:00:00:00:07")};
  EXPECT_EQ(ensure(), "10.200.0.1");
  EXPECT_EQ(named("vxlanTunnelMACAddr"), "02:00:00:00:00:07");
  EXPECT_FALSE(is_held(own)) << "given back";
  given_ = {};
  EXPECT_TRUE(ensure().starts_with("10.65."));
  EXPECT_EQ(named("vxlanTunnelMACAddr"), tunnel_mac("node1", base::IPFamily::v4));
  given_.address = *base::IPAddress::parse("10.200.0.1");
  put_pool("good", pool("10.65.0.0/16", "Never"));
  EXPECT_EQ(ensure(), "");
}

TEST_F(TunnelAddressTest, IsOfAPoolThatMayBeUsedForTunnels) {
  put_pool("pods", R"({"cidr":"10.65.0.0/26","vxlanMode":"Always","blockSize":26,)"
                   R"("allowedUses":["Workload"]})");
  EXPECT_EQ(ensure(), "");
  put_pool("tunnels", R"({"cidr":"10.66.0.0/26","vxlanMode":"Always","blockSize":26,)"
                      R"("allowedUses":["Tunnel"]})");
  EXPECT_TRUE(ensure().starts_with("10.66."));
}

TEST_F(TunnelAddressTest, APoolThatCannotBeReadTakesNoneAwayAndGivesNone) {
  put_pool("bad", k_bad);
  EXPECT_EQ(ensure(), "");
  put_pool("good", pool("10.65.0.0/16", "Always"));
  const auto address = ensure();
  EXPECT_TRUE(address.starts_with("10.65.")) << "the others' serve";
  put_pool("good", k_bad);
  EXPECT_EQ(ensure(), address) << "it may be of the pool that cannot be read";
}

// Whoever releases the addresses of nodes that are gone reads the block, then looks for the node.
TEST_F(TunnelAddressTest, OneThatIsHeldAndThatTheNodeDoesNotNameIsWrittenBeforeItIsUsed) {
  put_pool("good", pool("10.65.0.0/26", "Always"));
  const auto address = ensure();
  const auto revision = [&] {
    return store_->list({.resource = "ipamblocks.crd.projectcalico.org"})->entries.at(0).revision;
  };
  const auto assigned = revision();
  EXPECT_EQ(ensure(), address);
  EXPECT_EQ(revision(), assigned) << "the Node names it: there is nothing to write";
  put("nodes.projectcalico.org", "Node", "node1", R"({"bgp":{"ipv4Address":"192.0.2.1/24"}})");
  EXPECT_EQ(ensure(), address);
  EXPECT_GT(revision(), assigned);
}

}  // namespace
}  // namespace margay::node
