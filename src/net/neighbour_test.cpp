#include "net/neighbour.h"

#include <gtest/gtest.h>

#include "net/link.h"
#include "net/testing/scratch_namespace.h"

namespace margay::net {
namespace {

using base::ErrorCode;
using base::IPAddress;
using base::IPFamily;
using testing::ScratchNamespace;

IPAddress ip(const char* text) { return IPAddress::parse(text).value(); }
MacAddress mac(const char* text) { return MacAddress::parse(text).value(); }

class NeighbourTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = testing::why_no_namespaces(); !why.empty()) GTEST_SKIP() << why;
    scratch_ = std::make_unique<ScratchNamespace>();
    socket_ = std::make_unique<NetlinkSocket>(scratch_->socket());
    ASSERT_TRUE(create_vxlan(*socket_, "vx", {.vni = 1, .local = ip("192.0.2.1")}));
    ASSERT_TRUE(change_link(*socket_, "vx", {.up = true}));
    link_ = get_link(*socket_, "vx").value().index;
  }

  std::unique_ptr<ScratchNamespace> scratch_;
  std::unique_ptr<NetlinkSocket> socket_;
  int link_ = 0;
};

TEST_F(NeighbourTest, IsAddedReplacedListedAndDeletedInBothFamilies) {
  for (const char* address : {"10.0.0.9", "fd00::9"}) {
    const Neighbour first{link_, ip(address), mac("02:00:00:00:00:01")};
    const Neighbour second{link_, ip(address), mac("02:00:00:00:00:02")};
    ASSERT_TRUE(replace_neighbour(*socket_, first));
    EXPECT_EQ(list_neighbours(*socket_, link_).value(), std::vector{first});
    ASSERT_TRUE(replace_neighbour(*socket_, second));
    EXPECT_EQ(list_neighbours(*socket_, link_).value(), std::vector{second});
    EXPECT_TRUE(list_neighbours(*socket_, link_ + 1).value().empty());
    ASSERT_TRUE(delete_neighbour(*socket_, link_, ip(address)));
    EXPECT_TRUE(list_neighbours(*socket_, link_).value().empty());
    EXPECT_EQ(delete_neighbour(*socket_, link_, ip(address)).error().code, ErrorCode::not_found);
  }
}

TEST_F(NeighbourTest, ProxiesAreKeptApartFromNeighbours) {
  const ProxyNeighbour proxy{link_, ip("fe80::1234")};
  ASSERT_TRUE(add_proxy_neighbour(*socket_, proxy));
  EXPECT_EQ(list_proxy_neighbours(*socket_, IPFamily::v6).value(), std::vector{proxy});
  EXPECT_TRUE(list_neighbours(*socket_, link_).value().empty());
  ASSERT_TRUE(delete_proxy_neighbour(*socket_, proxy));
  EXPECT_TRUE(list_proxy_neighbours(*socket_, IPFamily::v6).value().empty());
}

TEST_F(NeighbourTest, ForwardingEntriesOfAVxlanDevice) {
  const ForwardingEntry first{link_, mac("02:00:00:00:00:01"), ip("192.0.2.2")};
  const ForwardingEntry moved{link_, first.mac, ip("192.0.2.3")};
  ASSERT_TRUE(replace_forwarding_entry(*socket_, first));
  EXPECT_EQ(list_forwarding_entries(*socket_, link_).value(), std::vector{first});
  ASSERT_TRUE(replace_forwarding_entry(*socket_, moved));
  EXPECT_EQ(list_forwarding_entries(*socket_, link_).value(), std::vector{moved});
  ASSERT_TRUE(delete_forwarding_entry(*socket_, moved));
  EXPECT_TRUE(list_forwarding_entries(*socket_, link_).value().empty());
}

TEST_F(NeighbourTest, ErrorsNameTheAddressAndTheLink) {
  const auto missing = replace_neighbour(*socket_, {9999, ip("10.0.0.9"), {}});
  ASSERT_FALSE(missing);
  EXPECT_TRUE(missing.error().message.starts_with(
      "neighbour 10.0.0.9 on link with index 9999: No such device"))
      << missing.error().message;
}

}  // namespace
}  // namespace margay::net
