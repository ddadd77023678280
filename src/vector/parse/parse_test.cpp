// What parsing understands, the slow way and the fast one. What it refuses: parse_refusal_test.cpp.

#include "vector/parse/parse.h"

#include <gtest/gtest.h>

#include "vector/parse/parse_fast.h"
#include "vector/parse/parse_fixture.h"

namespace margay::vector {
namespace {

using testing::Bytes;
using testing::front;
using testing::k_ack;
using testing::k_front;
using testing::k_syn;
using testing::parse_frame;
using testing::v4;
using testing::v6;
using testing::v6_with_extension_headers;

struct Understood {
  const char* name;
  Bytes packet;
  Parsed expected;
};

const Understood k_understood[] = {
    {"TCP over IPv4",
     v4().tcp(1000, 80, k_syn).payload(5).build(),
     {.protocol = 6,
      .tcp_flags = k_syn,
      .l4_offset = 34,
      .l3_length = 45,
      .source_port = 1000,
      .destination_port = 80}},
    {"TCP over IPv6",
     v6().tcp(1000, 80, k_ack).build(),
     {.family = 6,
      .protocol = 6,
      .tcp_flags = k_ack,
      .l4_offset = 54,
      .l3_length = 60,
      .source_port = 1000,
      .destination_port = 80}},
    {"UDP over IPv4",
     v4().udp(5353, 53).payload(3).build(),
     {.protocol = 17,
      .l4_offset = 34,
      .l3_length = 31,
      .source_port = 5353,
      .destination_port = 53}},
    {"UDP over IPv6",
     v6().udp(5353, 53).build(),
     {.family = 6,
      .protocol = 17,
      .l4_offset = 54,
      .l3_length = 48,
      .source_port = 5353,
      .destination_port = 53}},
    {"UDP that leaves bytes behind it",
     v4().udp(1, 2).length(9).payload(3).build(),
     {.protocol = 17, .l4_offset = 34, .l3_length = 31, .source_port = 1, .destination_port = 2}},
    {"Ethernet padding is not the packet's",
     v4().udp(1, 2).pad(18).build(),
     {.protocol = 17, .l4_offset = 34, .l3_length = 28, .source_port = 1, .destination_port = 2}},
    {"SCTP",
     v4().sctp(7, 8).payload(4).build(),
     {.protocol = 132, .l4_offset = 34, .l3_length = 36, .source_port = 7, .destination_port = 8}},
    {"UDPLite, all covered",
     v4().udplite(7, 8).payload(4).build(),
     {.protocol = 136, .l4_offset = 34, .l3_length = 32, .source_port = 7, .destination_port = 8}},
    {"UDPLite, header covered",
     v6().udplite(7, 8).length(8).payload(4).build(),
     {.family = 6,
      .protocol = 136,
      .l4_offset = 54,
      .l3_length = 52,
      .source_port = 7,
      .destination_port = 8}},
    {"ICMP echo: the identifier twice",
     v4().echo(false, 0x1234).payload(8).build(),
     {.protocol = 1,
      .icmp_type = 8,
      .l4_offset = 34,
      .l3_length = 36,
      .source_port = 0x1234,
      .destination_port = 0x1234}},
    {"ICMPv6 echo reply",
     v6().echo(true, 0x1234).build(),
     {.family = 6,
      .protocol = 58,
      .icmp_type = 129,
      .l4_offset = 54,
      .l3_length = 48,
      .source_port = 0x1234,
      .destination_port = 0x1234}},
    {"ICMP of a type without identifier",
     v4().icmp(9, 1, 0x01020304).build(),
     {.protocol = 1,
      .icmp_type = 9,
      .icmp_code = 1,
      .l4_offset = 34,
      .l3_length = 28,
      .source_port = 9 << 8 | 1}},
    {"ICMP over IPv6 is some protocol",
     v6().protocol(1).payload(2).build(),
     {.family = 6, .protocol = 1, .l4_offset = 54, .l3_length = 42}},
    {"GRE: a protocol without ports",
     v4().protocol(47).payload(4).build(),
     {.protocol = 47, .l4_offset = 34, .l3_length = 24}},
    {"no next header",
     v6().payload(4).build(),
     {.family = 6, .protocol = 59, .l4_offset = 54, .l3_length = 44}},
    {"nothing behind IPv4's header",
     v4().protocol(47).build(),
     {.protocol = 47, .l4_offset = 34, .l3_length = 20}},
    {"IPv4 options: router alert, record route, padding",
     v4().options({148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 1, 0, 99}).udp(1, 2).build(),
     {.protocol = 17, .l4_offset = 50, .l3_length = 44, .source_port = 1, .destination_port = 2}},
    {"nothing counts behind the end of options",
     v4().options({0, 131, 3, 4}).udp(1, 2).build(),
     {.protocol = 17, .l4_offset = 38, .l3_length = 32, .source_port = 1, .destination_port = 2}},
    {"IPv6 extension headers of every kind",
     v6().hop_by_hop()
         .destination_options(1)
         .routing(4, 0)
         .authentication()
         .destination_options()
         .tcp(1, 2)
         .build(),
     {.family = 6,
      .protocol = 6,
      .tcp_flags = k_ack,
      .l4_offset = 54 + 8 + 16 + 24 + 24 + 8,
      .l3_length = 40 + 8 + 16 + 24 + 24 + 8 + 20,
      .source_port = 1,
      .destination_port = 2}},
    {"as many extension headers as are followed",
     v6_with_extension_headers(8).udp(1, 2).build(),
     {.family = 6,
      .protocol = 17,
      .l4_offset = 54 + 64,
      .l3_length = 40 + 64 + 8,
      .source_port = 1,
      .destination_port = 2}},
    {"first fragment, IPv4",
     v4().fragment(0, true).udp(1, 2).length(500).payload(8).build(),
     {.protocol = 17,
      .flags = k_fragment,
      .l4_offset = 34,
      .l3_length = 36,
      .source_port = 1,
      .destination_port = 2,
      .fragment_offset = 14}},
    {"first fragment that could be a whole packet",
     v4().fragment(0, true).tcp(1, 2).payload(4).build(),
     {.protocol = 6,
      .flags = k_fragment,
      .tcp_flags = k_ack,
      .l4_offset = 34,
      .l3_length = 44,
      .source_port = 1,
      .destination_port = 2,
      .fragment_offset = 14}},
    {"later fragment, IPv4",
     v4().fragment(1480, false).protocol(6).payload(3).build(),
     {.protocol = 6,
      .flags = k_fragment | k_later_fragment,
      .l4_offset = 34,
      .l3_length = 23,
      .fragment_offset = 14}},
    {"first fragment, IPv6",
     v6().destination_options().fragment(0, true).tcp(1, 2).payload(12).build(),
     {.family = 6,
      .protocol = 6,
      .flags = k_fragment,
      .tcp_flags = k_ack,
      .l4_offset = 70,
      .l3_length = 40 + 8 + 8 + 32,
      .source_port = 1,
      .destination_port = 2,
      .fragment_offset = 62}},
    {"later fragment, IPv6: what it holds is no header",
     v6().fragment(1400, false).protocol(60).payload(3).build(),
     {.family = 6,
      .protocol = 60,
      .flags = k_fragment | k_later_fragment,
      .l4_offset = 62,
      .l3_length = 51,
      .fragment_offset = 54}},
    {"a fragment that is whole, RFC 6946",
     v6().fragment(0, false).udp(1, 2).build(),
     {.family = 6,
      .protocol = 17,
      .l4_offset = 62,
      .l3_length = 56,
      .source_port = 1,
      .destination_port = 2}},
    {"from a link-local address, IPv4",
     front().ipv4("169.254.20.10", "10.0.0.2").udp(53, 2).build(),
     {.protocol = 17,
      .flags = k_link_local,
      .l4_offset = 34,
      .l3_length = 28,
      .source_port = 53,
      .destination_port = 2}},
    {"to a link-local address, IPv4",
     front().ipv4("10.0.0.1", "169.254.169.254").udp(1, 2).build(),
     {.protocol = 17,
      .flags = k_link_local,
      .l4_offset = 34,
      .l3_length = 28,
      .source_port = 1,
      .destination_port = 2}},
    {"to a link-local address, IPv6",
     front().ipv6("fd00::1", "febf::2").udp(1, 2).build(),
     {.family = 6,
      .protocol = 17,
      .flags = k_link_local,
      .l4_offset = 54,
      .l3_length = 48,
      .source_port = 1,
      .destination_port = 2}},
    {"ICMP error",
     v4().icmp(3, 4, 1400).payload(28).build(),
     {.protocol = 1,
      .flags = k_icmp_error,
      .icmp_type = 3,
      .icmp_code = 4,
      .l4_offset = 34,
      .l3_length = 56,
      .quote_offset = 42}},
    {"ICMPv6 error",
     v6().icmpv6(2, 0, 1280).payload(48).build(),
     {.family = 6,
      .protocol = 58,
      .flags = k_icmp_error,
      .icmp_type = 2,
      .l4_offset = 54,
      .l3_length = 96,
      .quote_offset = 62}},
};

TEST(Parse, Understands) {
  for (const auto& each : k_understood) {
    SCOPED_TRACE(each.name);
    Parsed out, expected = each.expected;
    expected.l3_offset = k_front;
    EXPECT_EQ(parse_frame(each.packet, expected.family, out), DropReason::none);
    EXPECT_EQ(out, expected);
    EXPECT_EQ(out.fragment_offset, expected.fragment_offset);
    EXPECT_EQ(out.l4_offset, expected.l4_offset);
    EXPECT_EQ(out.l3_length, expected.l3_length);
  }
}

TEST(Parse, MarksEveryErrorThatQuotes) {
  for (uint8_t type = 0; type < 255; ++type) {
    Parsed out;
    const bool v4_error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    ASSERT_EQ(parse_frame(v4().icmp(type, 0).payload(28).build(), 4, out), DropReason::none);
    EXPECT_EQ((out.flags & k_icmp_error) != 0, v4_error) << int{type};
    ASSERT_EQ(parse_frame(v6().icmpv6(type, 0).payload(48).build(), 6, out), DropReason::none);
    EXPECT_EQ((out.flags & k_icmp_error) != 0, type >= 1 && type <= 4) << int{type};
  }
}

// However short a packet was cut, it is refused or its offsets lie inside.
TEST(Parse, EveryCutIsRefused) {
  for (const auto& each : k_understood) {
    const size_t whole = k_front + each.expected.l3_length;
    for (size_t bytes = 0; bytes < whole; ++bytes) {
      const Bytes cut(each.packet.begin(), each.packet.begin() + static_cast<ptrdiff_t>(bytes));
      Parsed out;
      EXPECT_NE(parse(cut, k_front, each.expected.family, out), DropReason::none)
          << each.name << " cut to " << bytes;
      EXPECT_FALSE(parse_fast(cut, k_front, each.expected.family, out))
          << each.name << " cut to " << bytes;
    }
  }
}

TEST(ParseFast, AgreesWheneverItSaysYes) {
  size_t yes = 0;
  for (const auto& each : k_understood) {
    Parsed slow, quick;
    ASSERT_EQ(parse(each.packet, k_front, each.expected.family, slow), DropReason::none);
    if (!parse_fast(each.packet, k_front, each.expected.family, quick)) continue;
    ++yes;
    EXPECT_EQ(quick, slow) << each.name;
  }
  EXPECT_EQ(yes, 6u);  // the TCP and UDP ones at the top of the table
}

TEST(ParseFast, NeedsNothingInFrontOfIp) {
  Parsed out;
  const auto packet = testing::PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).build();
  EXPECT_TRUE(parse_fast(packet, 0, 4, out));
  EXPECT_EQ(out.l4_offset, 20);
  EXPECT_FALSE(parse_fast(packet, 0, 6, out));
  EXPECT_FALSE(parse_fast(packet, 40, 4, out));
}

// Each header sum that RFC 791 allows, and each that is one off.
TEST(ParseFast, ChecksumsAgree) {
  for (uint32_t id = 0; id < 0x10000; ++id) {
    auto packet = v4().set16(4, static_cast<uint16_t>(id)).udp(1, 2).build();
    Parsed out;
    ASSERT_TRUE(parse_fast(packet, k_front, 4, out)) << id;
    packet[k_front + 4] ^= 1;
    ASSERT_FALSE(parse_fast(packet, k_front, 4, out)) << id;
  }
}

}  // namespace
}  // namespace margay::vector
