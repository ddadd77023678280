#include "net/link.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "net/interface_address.h"
#include "net/testing/scratch_namespace.h"

namespace margay::net {
namespace {

using base::ErrorCode;
using base::IPAddress;
using testing::ScratchNamespace;

IPAddress ip(const char* text) { return IPAddress::parse(text).value(); }

class LinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = testing::why_no_namespaces(); !why.empty()) GTEST_SKIP() << why;
  }
};

TEST_F(LinkTest, VethEndsAreMadeWhereAskedWithNameMacAndMtu) {
  const ScratchNamespace host, container;
  NetlinkSocket on_host = host.socket(), in_container = container.socket();
  const auto mac = MacAddress::parse("ee:ee:ee:ee:ee:ee").value();
  ASSERT_TRUE(create_veth(on_host, {.near = {.name = "cali1", .mac = mac},
                                    .far = {.name = "eth0"},
                                    .far_namespace = container.get().fd(),
                                    .mtu = 1410}));
  const auto near = get_link(on_host, "cali1");
  const auto far = get_link(in_container, "eth0");
  ASSERT_TRUE(near && far);
  EXPECT_EQ(near->kind, "veth");
  EXPECT_EQ(near->mac, mac);
  EXPECT_EQ(near->mtu, 1410U);
  EXPECT_EQ(far->mtu, 1410U);
  EXPECT_EQ(near->peer, far->index);
  EXPECT_FALSE(near->up);
  EXPECT_EQ(get_link(on_host, near->index).value().name, "cali1");
}

TEST_F(LinkTest, AVethPairIsMadeWholeOrNotAtAll) {
  const ScratchNamespace host, container;
  NetlinkSocket on_host = host.socket(), in_container = container.socket();
  ASSERT_TRUE(create_bridge(in_container, "eth0"));
  const auto made = create_veth(
      on_host,
      {.near = {.name = "cali1"}, .far = {.name = "eth0"}, .far_namespace = container.get().fd()});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::already_exists);
  EXPECT_FALSE(get_link(on_host, "cali1"));
}

TEST_F(LinkTest, ChangesOnlyWhatIsAsked) {
  const ScratchNamespace scratch, elsewhere;
  NetlinkSocket socket = scratch.socket();
  const auto mac = MacAddress::parse("02:00:00:00:00:01").value();
  ASSERT_TRUE(create_veth(socket, {.near = {.name = "a"}, .far = {.name = "b"}}));
  ASSERT_TRUE(create_bridge(socket, "br"));
  const int bridge = get_link(socket, "br").value().index;

  ASSERT_TRUE(change_link(socket, "a", {.up = true, .mtu = 1400, .mac = mac, .master = bridge}));
  auto link = get_link(socket, "a").value();
  EXPECT_TRUE(link.up);
  EXPECT_EQ(link.mtu, 1400U);
  EXPECT_EQ(link.mac, mac);
  EXPECT_EQ(link.master, bridge);

  ASSERT_TRUE(change_link(socket, "a", {.name = "renamed"}));
  link = get_link(socket, "renamed").value();
  EXPECT_TRUE(link.up);
  EXPECT_EQ(link.mtu, 1400U);
  EXPECT_FALSE(get_link(socket, "a"));

  ASSERT_TRUE(change_link(socket, "b", {.network_namespace = elsewhere.get().fd()}));
  EXPECT_FALSE(get_link(socket, "b"));
  NetlinkSocket there = elsewhere.socket();
  EXPECT_TRUE(get_link(there, "b"));
}

TEST_F(LinkTest, VxlanKeepsItsOptions) {
  const ScratchNamespace scratch;
  NetlinkSocket socket = scratch.socket();
  for (const auto& [name, local] :
       {std::pair{"vxlan.calico", "192.0.2.1"}, std::pair{"vxlan-v6", "2001:db8::1"}}) {
    const VxlanOptions options{.vni = 4096, .port = 4789, .local = ip(local)};
    ASSERT_TRUE(create_vxlan(socket, name, options)) << name;
    const auto link = get_link(socket, name);
    ASSERT_TRUE(link);
    EXPECT_EQ(link->kind, "vxlan");
    EXPECT_EQ(link->vxlan, options) << name;
    ASSERT_TRUE(delete_link(socket, name));
  }
}

TEST_F(LinkTest, ListsAllLinks) {
  const ScratchNamespace scratch;
  NetlinkSocket socket = scratch.socket();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(create_bridge(socket, "br" + std::to_string(i)));
  const auto links = list_links(socket);
  ASSERT_TRUE(links);
  EXPECT_EQ(std::ranges::count(*links, "bridge", &Link::kind), 100);
}

TEST_F(LinkTest, DummyIsMadeOrSaidToBeUnsupported) {
  const ScratchNamespace scratch;
  NetlinkSocket socket = scratch.socket();
  const auto made = create_dummy(socket, "dummy7");
  if (made) {
    EXPECT_EQ(get_link(socket, "dummy7").value().kind, "dummy");
  } else {
    EXPECT_EQ(made.error().code, ErrorCode::unsupported) << made.error().message;
  }
}

TEST_F(LinkTest, ErrorsNameTheLink) {
  const ScratchNamespace scratch;
  NetlinkSocket socket = scratch.socket();
  const std::vector<base::Result<>> all{change_link(socket, "cali123", {.up = true}),
                                        delete_link(socket, "cali123")};
  for (const auto& result : all) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::not_found);
    EXPECT_TRUE(result.error().message.starts_with("link cali123: No such device"))
        << result.error().message;
  }
  EXPECT_EQ(get_link(socket, "a-name-too-long-for-linux").error().code, ErrorCode::invalid);
  EXPECT_EQ(get_link(socket, "cali123").error().code, ErrorCode::not_found);
}

TEST_F(LinkTest, AddressesAreAddedListedAndDeleted) {
  const ScratchNamespace scratch;
  NetlinkSocket socket = scratch.socket();
  ASSERT_TRUE(create_bridge(socket, "br"));
  const int link = get_link(socket, "br").value().index;
  const InterfaceAddress v4{.link = link, .address = ip("10.1.2.3"), .prefix_length = 24};
  const InterfaceAddress v6{
      .link = link, .address = ip("fd00::7"), .prefix_length = 128, .no_duplicate_detection = true};
  for (const auto& address : {v4, v6}) {
    ASSERT_TRUE(add_address(socket, address));
    EXPECT_TRUE(add_address(socket, address)) << "again";
  }
  const auto addresses = list_addresses(socket, link);
  ASSERT_TRUE(addresses);
  ASSERT_EQ(addresses->size(), 2U);
  EXPECT_EQ(addresses->at(0).address, v4.address);
  EXPECT_EQ(addresses->at(0).prefix_length, 24U);
  EXPECT_EQ(addresses->at(1).address, v6.address);
  EXPECT_TRUE(addresses->at(1).no_duplicate_detection);
  EXPECT_FALSE(addresses->at(1).tentative);

  ASSERT_TRUE(delete_address(socket, v4));
  EXPECT_FALSE(delete_address(socket, v4));
  EXPECT_EQ(list_addresses(socket, link).value().size(), 1U);
}

}  // namespace
}  // namespace margay::net
