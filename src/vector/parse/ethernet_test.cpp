#include "vector/parse/ethernet.h"

#include <gtest/gtest.h>

#include "vector/testing/packet_builder.h"

namespace margay::vector {
namespace {

using testing::Bytes;
using testing::PacketBuilder;

constexpr net::MacAddress k_ours{{2, 0, 0, 0, 0, 1}};

TEST(Ethernet, Types) {
  const struct {
    const char* name;
    Bytes frame;
    DropReason reason;
    uint16_t type;
  } cases[] = {
      {"IPv4", PacketBuilder().ethernet().ipv4("10.0.0.1", "10.0.0.2").build(), DropReason::none,
       0x0800},
      {"IPv6", PacketBuilder().ethernet().ipv6("fd00::1", "fd00::2").build(), DropReason::none,
       0x86dd},
      {"ARP", PacketBuilder().ethernet().ether_type(0x0806).build(), DropReason::none, 0x0806},
      {"802.1Q", PacketBuilder().ethernet().vlan(7).ipv4("10.0.0.1", "10.0.0.2").build(),
       DropReason::bad_ethernet_type, 0x8100},
      {"a length, 802.3", PacketBuilder().ethernet().ether_type(40).build(),
       DropReason::bad_ethernet_type, 40},
      {"13 bytes", PacketBuilder().ethernet().truncate(13).build(), DropReason::truncated, 0},
      {"broadcast",
       PacketBuilder().ethernet({255, 255, 255, 255, 255, 255}).ether_type(0x0806).build(),
       DropReason::none, 0x0806},
      {"multicast", PacketBuilder().ethernet({0x33, 0x33, 0, 0, 0, 1}).ether_type(0x86dd).build(),
       DropReason::none, 0x86dd},
      {"to another", PacketBuilder().ethernet({2, 0, 0, 0, 0, 9}).ether_type(0x0800).build(),
       DropReason::not_our_mac, 0},
  };
  for (const auto& each : cases) {
    EtherType type{};
    EXPECT_EQ(parse_ethernet(each.frame, k_ours, type), each.reason) << each.name;
    EXPECT_EQ(static_cast<uint16_t>(type), each.type) << each.name;
  }
}

TEST(Ethernet, Families) {
  EXPECT_EQ(family_of(EtherType::ipv4), 4);
  EXPECT_EQ(family_of(EtherType::ipv6), 6);
  EXPECT_EQ(family_of(EtherType::arp), 0);
}

TEST(Ethernet, Writes) {
  Bytes frame(14);
  write_ethernet(frame.data(), k_ours, {{2, 0, 0, 0, 0, 2}}, EtherType::ipv6);
  EXPECT_EQ(frame, PacketBuilder().ethernet().ether_type(0x86dd).build());
}

}  // namespace
}  // namespace margay::vector
