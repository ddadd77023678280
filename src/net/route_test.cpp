#include "net/route.h"

#include <gtest/gtest.h>

#include "net/interface_address.h"
#include "net/link.h"
#include "net/testing/scratch_namespace.h"

namespace margay::net {
namespace {

using base::ErrorCode;
using base::IPAddress;
using base::IPFamily;
using base::Prefix;
using testing::ScratchNamespace;

constexpr uint8_t k_protocol = 80;

IPAddress ip(const char* text) { return IPAddress::parse(text).value(); }
Prefix net(const char* text) { return Prefix::parse(text).value(); }

// A veth pair, both ends up, so that routes by it are live.
class RouteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = testing::why_no_namespaces(); !why.empty()) GTEST_SKIP() << why;
    scratch_ = std::make_unique<ScratchNamespace>();
    socket_ = std::make_unique<NetlinkSocket>(scratch_->socket());
    ASSERT_TRUE(create_veth(*socket_, {.near = {.name = "a"}, .far = {.name = "b"}}));
    for (const char* name : {"a", "b"}) ASSERT_TRUE(change_link(*socket_, name, {.up = true}));
    link_ = get_link(*socket_, "a").value().index;
    ASSERT_TRUE(
        add_address(*socket_, {.link = link_, .address = ip("192.0.2.1"), .prefix_length = 24}));
    ASSERT_TRUE(add_address(*socket_, {.link = link_,
                                       .address = ip("2001:db8::1"),
                                       .prefix_length = 64,
                                       .no_duplicate_detection = true}));
  }
  std::vector<Route> ours(uint32_t table = k_main_table) {
    return list_routes(*socket_, {.table = table, .protocol = k_protocol}).value();
  }

  std::unique_ptr<ScratchNamespace> scratch_;
  std::unique_ptr<NetlinkSocket> socket_;
  int link_ = 0;
};

TEST_F(RouteTest, EveryKindReadsBackAsItWasWritten) {
  const struct {
    const char* name;
    Route route;
  } cases[] = {
      {"scope link", {.destination = net("10.0.0.1/32"), .link = link_, .scope = RouteScope::link}},
      {"via a neighbour",
       {.destination = net("10.1.0.0/26"), .link = link_, .via = ip("192.0.2.9")}},
      {"via without a route to it",
       {.destination = net("10.2.0.0/26"),
        .link = link_,
        .via = ip("169.254.1.1"),
        .onlink = true}},
      {"IPv4 via IPv6", {.destination = net("10.3.0.0/26"), .link = link_, .via = ip("fe80::1")}},
      {"with source, metric and mtu",
       {.destination = net("10.4.0.0/26"),
        .link = link_,
        .source = ip("192.0.2.1"),
        .scope = RouteScope::link,
        .metric = 77,
        .mtu = 1400}},
      {"blackhole", {.destination = net("10.5.0.0/26"), .type = RouteType::blackhole}},
      {"unreachable", {.destination = net("10.6.0.0/26"), .type = RouteType::unreachable}},
      {"in another table",
       {.destination = net("10.7.0.0/26"),
        .link = link_,
        .scope = RouteScope::link,
        .table = 1000}},
      {"default", {.destination = net("0.0.0.0/0"), .link = link_, .via = ip("192.0.2.9")}},
      {"IPv6 on link", {.destination = net("fd00::1/128"), .link = link_}},
      {"IPv6 via", {.destination = net("fd01::/122"), .link = link_, .via = ip("2001:db8::9")}},
      {"IPv6 via link-local", {.destination = net("::/0"), .link = link_, .via = ip("fe80::9")}},
      {"IPv6 with metric", {.destination = net("fd02::/122"), .link = link_, .metric = 7}},
      {"IPv6 blackhole", {.destination = net("fd03::/122"), .type = RouteType::blackhole}},
      {"IPv6 unreachable", {.destination = net("fd04::/122"), .type = RouteType::unreachable}},
  };
  for (const auto& [name, wanted] : cases) {
    Route route = wanted;
    route.protocol = k_protocol;
    const auto added = add_route(*socket_, route);
    ASSERT_TRUE(added) << name << ": " << added.error().message;
    EXPECT_EQ(ours(route.table), std::vector{route}) << name;
    EXPECT_EQ(add_route(*socket_, route).error().code, ErrorCode::already_exists) << name;
    const auto deleted = delete_route(*socket_, route);
    EXPECT_TRUE(deleted) << name << ": " << deleted.error().message;
    EXPECT_TRUE(ours(route.table).empty()) << name;
    EXPECT_EQ(delete_route(*socket_, route).error().code, ErrorCode::not_found) << name;
  }
}

TEST_F(RouteTest, ReplaceTakesThePlaceOfTheOneToTheSameDestination) {
  for (const char* destination : {"10.1.0.0/26", "fd01::/122"}) {
    const Route before{
        .destination = net(destination), .type = RouteType::blackhole, .protocol = k_protocol};
    Route after{.destination = net(destination), .link = link_, .protocol = k_protocol};
    if (after.destination.family() == IPFamily::v4) after.scope = RouteScope::link;
    ASSERT_TRUE(replace_route(*socket_, before)) << destination;
    ASSERT_TRUE(replace_route(*socket_, after)) << destination;
    EXPECT_EQ(ours(), std::vector{after}) << destination;
    ASSERT_TRUE(delete_route(*socket_, after)) << destination;
  }
}

TEST_F(RouteTest, ListIsFiltered) {
  const Route v4{.destination = net("10.1.0.0/26"),
                 .link = link_,
                 .scope = RouteScope::link,
                 .protocol = k_protocol};
  const Route v6{.destination = net("fd01::/122"), .link = link_, .protocol = k_protocol};
  ASSERT_TRUE(add_route(*socket_, v4));
  ASSERT_TRUE(add_route(*socket_, v6));
  EXPECT_EQ(list_routes(*socket_, {.family = IPFamily::v6, .protocol = k_protocol}).value(),
            std::vector{v6});
  EXPECT_TRUE(list_routes(*socket_, {.protocol = k_protocol, .link = link_ + 1}).value().empty());
  EXPECT_GT(list_routes(*socket_, {.table = std::nullopt}).value().size(), 2U);
}

TEST_F(RouteTest, LookupTellsTheInterfaceAndSourceAddress) {
  const auto route = lookup_route(*socket_, ip("192.0.2.55"));
  ASSERT_TRUE(route) << route.error().message;
  EXPECT_EQ(route->link, link_);
  EXPECT_EQ(route->source, ip("192.0.2.1"));
  EXPECT_FALSE(lookup_route(*socket_, ip("198.51.100.1"))) << "no route there";
}

TEST_F(RouteTest, ErrorsNameTheRoute) {
  const auto added =
      add_route(*socket_, {.destination = net("10.1.0.0/26"), .via = ip("198.51.100.1")});
  ASSERT_FALSE(added);
  EXPECT_TRUE(added.error().message.starts_with(
      "route 10.1.0.0/26 via 198.51.100.1: Network is unreachable"))
      << added.error().message;
}

TEST_F(RouteTest, ThousandsAreListedWhole) {
  for (unsigned i = 0; i < 3000; ++i) {
    const Prefix destination(ip("10.9.0.0").plus(i), 32);
    ASSERT_TRUE(add_route(*socket_, {.destination = destination,
                                     .link = link_,
                                     .scope = RouteScope::link,
                                     .protocol = k_protocol}));
  }
  EXPECT_EQ(ours().size(), 3000U);
}

}  // namespace
}  // namespace margay::net
