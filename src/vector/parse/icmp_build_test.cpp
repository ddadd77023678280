#include "vector/parse/icmp_build.h"

#include <gtest/gtest.h>

#include "vector/parse/checksum.h"
#include "vector/parse/parse.h"
#include "vector/parse/token_bucket.h"
#include "vector/testing/packet_builder.h"

namespace margay::vector {
namespace {

using testing::Bytes;
using testing::PacketBuilder;

constexpr std::array<uint8_t, 4> k_router4{10, 0, 0, 254};
constexpr std::array<uint8_t, 16> k_router6{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe};

PacketBuilder v4() { return PacketBuilder().ipv4("10.0.0.1", "10.0.0.2"); }
PacketBuilder v6() { return PacketBuilder().ipv6("fd00::1", "fd00::2"); }

Parsed parsed(const Bytes& packet) {
  Parsed out;
  EXPECT_EQ(parse(packet, 0, packet[0] >> 4, out), DropReason::none);
  return out;
}

Bytes built(IcmpError error, const Bytes& packet, uint32_t mtu = 0) {
  const auto of = parsed(packet);
  Bytes out(of.family == 4 ? k_max_icmp_error4 : k_max_icmp_error6);
  const uint8_t* source = of.family == 4 ? k_router4.data() : k_router6.data();
  out.resize(build_icmp_error(error, mtu, packet, of, source, out));
  return out;
}

Bytes expected4(uint8_t type, uint8_t code, uint32_t rest, std::span<const uint8_t> quote) {
  return PacketBuilder()
      .ipv4("10.0.0.254", "10.0.0.1")
      .traffic_class(0xc0)
      .icmp(type, code, rest)
      .payload(quote)
      .build();
}
Bytes expected6(uint8_t type, uint8_t code, uint32_t rest, std::span<const uint8_t> quote) {
  return PacketBuilder()
      .ipv6("fd00::fe", "fd00::1")
      .icmpv6(type, code, rest)
      .payload(quote)
      .build();
}

TEST(IcmpError, OfEachKind) {
  const struct {
    const char* name;
    IcmpError error;
    uint8_t type4, code4;
    uint32_t rest4;
    uint8_t type6, code6;
    uint32_t rest6;
  } cases[] = {
      {"time exceeded", IcmpError::time_exceeded, 11, 0, 0, 3, 0, 0},
      {"net unreachable", IcmpError::net_unreachable, 3, 0, 0, 1, 0, 0},
      {"host unreachable", IcmpError::host_unreachable, 3, 1, 0, 1, 3, 0},
      {"port unreachable", IcmpError::port_unreachable, 3, 3, 0, 1, 4, 0},
      {"admin prohibited", IcmpError::admin_prohibited, 3, 13, 0, 1, 1, 0},
      {"too big", IcmpError::too_big, 3, 4, 1400, 2, 0, 1400},
  };
  for (const auto& each : cases) {
    const auto packet4 = v4().tcp(1, 2).payload(9).build();
    const auto packet6 = v6().tcp(1, 2).payload(9).build();
    EXPECT_EQ(built(each.error, packet4, 1400),
              expected4(each.type4, each.code4, each.rest4, packet4))
        << each.name;
    EXPECT_EQ(built(each.error, packet6, 1400),
              expected6(each.type6, each.code6, each.rest6, packet6))
        << each.name;
  }
}

TEST(IcmpError, QuotesAsMuchAsMayBe) {
  const auto packet4 = v4().udp(1, 2).payload(1400).build();
  const auto error4 = built(IcmpError::time_exceeded, packet4);
  EXPECT_EQ(error4.size(), 576u);
  EXPECT_EQ(error4, expected4(11, 0, 0, std::span(packet4).first(548)));
  const auto packet6 = v6().udp(1, 2).payload(1400).build();
  const auto error6 = built(IcmpError::time_exceeded, packet6);
  EXPECT_EQ(error6.size(), 1280u);
  EXPECT_EQ(error6, expected6(3, 0, 0, std::span(packet6).first(1232)));
}

TEST(IcmpError, QuotesNoLinkHeaderAndNoPadding) {
  const auto frame =
      PacketBuilder().ethernet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).pad(18).build();
  Parsed of;
  ASSERT_EQ(parse(frame, 14, 4, of), DropReason::none);
  Bytes out(k_max_icmp_error4);
  out.resize(build_icmp_error(IcmpError::time_exceeded, 0, frame, of, k_router4.data(), out));
  EXPECT_EQ(out, expected4(11, 0, 0, std::span(frame).subspan(14, 28)));
}

TEST(IcmpError, NotAboutEverything) {
  const struct {
    const char* name;
    Bytes packet;
    bool answered;
  } cases[] = {
      {"UDP", v4().udp(1, 2).build(), true},
      {"first fragment", v4().fragment(0, true).udp(1, 2).payload(8).build(), true},
      {"later fragment", v4().fragment(80, true).protocol(17).payload(8).build(), false},
      {"later fragment, IPv6", v6().fragment(80, true).protocol(17).payload(8).build(), false},
      {"echo request", v4().echo(false, 1).build(), true},
      {"echo reply", v4().echo(true, 1).build(), true},
      {"ICMP error", v4().icmp(11, 0).payload(28).build(), false},
      {"redirect", v4().icmp(5, 0).payload(28).build(), false},
      {"unknown ICMP", v4().icmp(77, 0).build(), false},
      {"ICMPv6 echo request", v6().echo(false, 1).build(), true},
      {"ICMPv6 error", v6().icmpv6(1, 0).payload(48).build(), false},
      {"unknown ICMPv6 error", v6().icmpv6(100, 0).build(), false},
      {"unknown ICMPv6 information", v6().icmpv6(200, 0).build(), true},
      {"ICMPv6 redirect", v6().icmpv6(137, 0).build(), false},
      {"GRE", v6().protocol(47).payload(8).build(), true},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(may_be_answered(each.packet, parsed(each.packet)), each.answered) << each.name;
    EXPECT_EQ(!built(IcmpError::time_exceeded, each.packet).empty(), each.answered) << each.name;
  }
}

// Also when a caller asks about what `parse` has refused for its addresses.
TEST(IcmpError, NotFromOrToMany) {
  const std::pair<const char*, const char*> refused[] = {
      {"10.0.0.1", "224.0.0.1"}, {"10.0.0.1", "255.255.255.255"}, {"0.0.0.0", "10.0.0.2"},
      {"127.0.0.1", "10.0.0.2"}, {"fd00::1", "ff02::1"},          {"::", "fd00::2"},
  };
  for (const auto& [source, destination] : refused) {
    const auto packet = PacketBuilder().ip(source, destination).udp(1, 2).build();
    Parsed of;
    EXPECT_NE(parse(packet, 0, packet[0] >> 4, of), DropReason::none);
    EXPECT_FALSE(may_be_answered(packet, of)) << source << ' ' << destination;
  }
}

TEST(EchoReply, InPlace) {
  for (const size_t payload : {0u, 1u, 56u, 1400u}) {
    auto packet = v4().ttl(9).echo(false, 7, 3).payload(payload).build();
    ASSERT_TRUE(make_echo_reply(packet, parsed(packet)));
    EXPECT_EQ(
        packet,
        PacketBuilder().ipv4("10.0.0.2", "10.0.0.1").echo(true, 7, 3).payload(payload).build());
    packet = v6().ttl(9).echo(false, 7, 3).payload(payload).build();
    ASSERT_TRUE(make_echo_reply(packet, parsed(packet)));
    EXPECT_EQ(packet,
              PacketBuilder().ipv6("fd00::2", "fd00::1").echo(true, 7, 3).payload(payload).build());
  }
}

// The checksum of nothing but zeroes is 0xffff, not 0.
TEST(EchoReply, OfZeroesOnly) {
  auto packet = v4().echo(false, 0, 0).build();
  ASSERT_TRUE(make_echo_reply(packet, parsed(packet)));
  EXPECT_EQ(packet, PacketBuilder().ipv4("10.0.0.2", "10.0.0.1").echo(true, 0, 0).build());
  EXPECT_EQ(load<uint16_t>(&packet[22]), 0xffff);
}

TEST(EchoReply, OnlyToEchoRequests) {
  const std::pair<const char*, Bytes> cases[] = {
      {"reply", v4().echo(true, 1).build()},
      {"reply, IPv6", v6().echo(true, 1).build()},
      {"ICMP timestamp", v4().icmp(13, 0).payload(12).build()},
      {"code 1", v4().icmp(8, 1).build()},
      {"UDP", v4().udp(1, 2).build()},
      {"fragment", v4().fragment(0, true).echo(false, 1).payload(8).build()},
      {"later fragment", v4().fragment(80, false).protocol(1).payload(8).build()},
      {"wrong checksum", v4().echo(false, 1).wrong_checksum().build()},
      {"wrong checksum, IPv6", v6().echo(false, 1).wrong_checksum().build()},
  };
  for (const auto& [name, original] : cases) {
    auto packet = original;
    EXPECT_FALSE(make_echo_reply(packet, parsed(packet))) << name;
    EXPECT_EQ(packet, original) << name;
  }
}

// ---- the limit ----

TEST(TokenBucket, BurstThenRate) {
  TokenBucket bucket(10, 3);
  uint64_t now = 5000;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(now));
  EXPECT_FALSE(bucket.take(now));
  EXPECT_FALSE(bucket.take(now += 99));
  EXPECT_TRUE(bucket.take(now += 1));
  EXPECT_FALSE(bucket.take(now));
}

TEST(TokenBucket, NeverMoreThanTheBurst) {
  TokenBucket bucket(1'000'000, 2);
  uint64_t now = 0;
  for (const uint64_t later : {uint64_t{1} << 20, uint64_t{1} << 62, UINT64_MAX}) {
    now = later;
    EXPECT_TRUE(bucket.take(now));
    EXPECT_TRUE(bucket.take(now));
    EXPECT_FALSE(bucket.take(now)) << later;
  }
}

TEST(TokenBucket, OfNothingGivesNothing) {
  TokenBucket none(0, 0);
  EXPECT_FALSE(none.take(0));
  EXPECT_FALSE(none.take(1'000'000));
}

// Asking all the time gives the rate, and the burst once.
TEST(TokenBucket, RateOverTime) {
  TokenBucket bucket(37, 2);
  int taken = 0;
  for (uint64_t now = 0; now <= 100'000; ++now) taken += bucket.take(now);
  EXPECT_EQ(taken, 3702);
}

}  // namespace
}  // namespace margay::vector
