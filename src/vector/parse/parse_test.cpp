#include "vector/parse/parse.h"

#include <gtest/gtest.h>

#include "vector/parse/ip_protocol.h"
#include "vector/parse/parse_fast.h"
#include "vector/testing/packet_builder.h"

namespace margay::vector {
namespace {

using testing::Bytes;
using testing::k_ack;
using testing::k_syn;

constexpr uint16_t k_front = k_ethernet_header;

struct Front : testing::PacketBuilder {
  Front() { ethernet(); }
};
testing::PacketBuilder v4() { return Front().ipv4("10.0.0.1", "10.0.0.2"); }
testing::PacketBuilder v6() { return Front().ipv6("fd00::1", "fd00::2"); }

uint8_t family_of(const Bytes& packet) { return packet.at(12) == 0x86 ? 6 : 4; }

// parse of an exact copy, so that AddressSanitizer sees a read behind the end.
DropReason parse_frame(const Bytes& packet, uint8_t family, Parsed& out) {
  const Bytes exact(packet.begin(), packet.end());
  return parse(exact, k_front, family, out);
}

// ---- what is understood ----

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
     v6().hop_by_hop()
         .destination_options()
         .destination_options()
         .destination_options()
         .destination_options()
         .destination_options()
         .destination_options()
         .destination_options()
         .udp(1, 2)
         .build(),
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
     Front().ipv4("169.254.20.10", "10.0.0.2").udp(53, 2).build(),
     {.protocol = 17,
      .flags = k_link_local,
      .l4_offset = 34,
      .l3_length = 28,
      .source_port = 53,
      .destination_port = 2}},
    {"to a link-local address, IPv4",
     Front().ipv4("10.0.0.1", "169.254.169.254").udp(1, 2).build(),
     {.protocol = 17,
      .flags = k_link_local,
      .l4_offset = 34,
      .l3_length = 28,
      .source_port = 1,
      .destination_port = 2}},
    {"to a link-local address, IPv6",
     Front().ipv6("fd00::1", "febf::2").udp(1, 2).build(),
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

// ---- what is refused ----

struct Refused {
  const char* name;
  DropReason reason;
  Bytes packet;
};

Bytes from4(const char* source) { return Front().ipv4(source, "10.0.0.2").udp(1, 2).build(); }
Bytes to4(const char* destination) {
  return Front().ipv4("10.0.0.1", destination).udp(1, 2).build();
}
Bytes from6(const char* source) { return Front().ipv6(source, "fd00::2").udp(1, 2).build(); }
Bytes to6(const char* destination) {
  return Front().ipv6("fd00::1", destination).udp(1, 2).build();
}

const Refused k_refused[] = {
    {"nothing behind Ethernet", DropReason::truncated, v4().truncate(14).build()},
    {"not even Ethernet", DropReason::truncated, v4().truncate(13).build()},
    {"IPv4 cut", DropReason::truncated, v4().udp(1, 2).truncate(33).build()},
    {"IPv6 cut", DropReason::truncated, v6().udp(1, 2).truncate(53).build()},
    {"IPv4 says 5", DropReason::bad_ip_version, v4().version(5).udp(1, 2).build()},
    {"IPv4 says 6", DropReason::bad_ip_version, v4().version(6).udp(1, 2).build()},
    {"IPv6 says 4", DropReason::bad_ip_version, v6().version(4).udp(1, 2).build()},
    {"header of 16", DropReason::bad_ip_header_length, v4().header_length(4).udp(1, 2).build()},
    {"header beyond the packet", DropReason::bad_ip_header_length,
     v4().header_length(8).udp(1, 2).build()},
    {"total below the header", DropReason::bad_ip_total_length, v4().length(19).udp(1, 2).build()},
    {"total beyond the packet", DropReason::bad_ip_total_length, v4().length(29).udp(1, 2).build()},
    {"total of zero", DropReason::bad_ip_total_length, v4().length(0).udp(1, 2).build()},
    {"payload beyond the packet", DropReason::bad_ip_total_length,
     v6().length(9).udp(1, 2).build()},
    {"payload of more than is counted", DropReason::bad_ip_total_length,
     v6().length(65500).udp(1, 2).length(8).payload(65600).build()},
    {"header checksum", DropReason::bad_ip_checksum, v4().wrong_checksum().udp(1, 2).build()},
    {"header checksum with options", DropReason::bad_ip_checksum,
     v4().options({1, 1, 1, 0}).wrong_checksum().udp(1, 2).build()},
    {"loose source route", DropReason::bad_ip_option,
     v4().options({131, 7, 4, 10, 0, 0, 9}).udp(1, 2).build()},
    {"strict source route behind padding", DropReason::bad_ip_option,
     v4().options({1, 137, 7, 4, 10, 0, 0, 9}).udp(1, 2).build()},
    {"option of length 1", DropReason::bad_ip_option, v4().options({7, 1, 0, 0}).udp(1, 2).build()},
    {"option of length 0", DropReason::bad_ip_option, v4().options({7, 0, 0, 0}).udp(1, 2).build()},
    {"option beyond the header", DropReason::bad_ip_option,
     v4().options({7, 5, 4, 0}).udp(1, 2).build()},
    {"option without length", DropReason::bad_ip_option,
     v4().options({1, 1, 1, 7}).udp(1, 2).build()},
    {"hop-by-hop options second", DropReason::bad_extension_header,
     v6().destination_options().hop_by_hop().udp(1, 2).build()},
    {"routing header type 0", DropReason::bad_extension_header,
     v6().routing(0, 0).udp(1, 2).build()},
    {"segments left", DropReason::bad_extension_header, v6().routing(4, 1).udp(1, 2).build()},
    {"extension header beyond the packet", DropReason::bad_extension_header,
     v6().destination_options().set8(1, 2).udp(1, 2).build()},
    {"extension header cut", DropReason::bad_extension_header,
     v6().protocol(60).payload(7).build()},
    {"authentication header too short", DropReason::bad_extension_header,
     v6().authentication().set8(1, 0).udp(1, 2).build()},
    {"two fragment headers", DropReason::bad_extension_header,
     v6().fragment(0, true).fragment(0, true).udp(1, 2).payload(8).build()},
    {"a whole fragment in a fragment", DropReason::bad_extension_header,
     v6().fragment(0, false).fragment(0, true).udp(1, 2).payload(8).build()},
    {"jumbogram", DropReason::bad_extension_header, v6().length(0).hop_by_hop().udp(1, 2).build()},
    {"one extension header too many", DropReason::too_many_extension_headers,
     v6().hop_by_hop()
         .destination_options()
         .destination_options()
         .destination_options()
         .destination_options()
         .destination_options()
         .destination_options()
         .destination_options()
         .destination_options()
         .udp(1, 2)
         .build()},
    {"TCP cut", DropReason::bad_l4_header, v4().protocol(6).payload(19).build()},
    {"TCP offset of 4", DropReason::bad_l4_header, v4().tcp(1, 2).header_length(4).build()},
    {"TCP offset beyond", DropReason::bad_l4_header, v6().tcp(1, 2).header_length(6).build()},
    {"UDP cut", DropReason::bad_l4_header, v4().protocol(17).payload(7).build()},
    {"UDP length of 7", DropReason::bad_l4_header, v4().udp(1, 2).length(7).build()},
    {"UDP length beyond", DropReason::bad_l4_header, v6().udp(1, 2).length(9).pad(2).build()},
    {"UDP length of 0", DropReason::bad_l4_header, v6().udp(1, 2).length(0).build()},
    {"UDPLite cut", DropReason::bad_l4_header, v4().protocol(136).payload(7).build()},
    {"UDPLite coverage of 7", DropReason::bad_l4_header, v4().udplite(1, 2).length(7).build()},
    {"UDPLite coverage beyond", DropReason::bad_l4_header, v4().udplite(1, 2).length(9).build()},
    {"SCTP cut", DropReason::bad_l4_header, v4().protocol(132).payload(11).build()},
    {"ICMP cut", DropReason::bad_l4_header, v4().protocol(1).payload(7).build()},
    {"ICMPv6 cut", DropReason::bad_l4_header, v6().protocol(58).payload(7).build()},
    {"from 0/8", DropReason::bad_source_address, from4("0.1.2.3")},
    {"from loopback", DropReason::bad_source_address, from4("127.0.0.1")},
    {"from multicast", DropReason::bad_source_address, from4("224.0.0.1")},
    {"from class E", DropReason::bad_source_address, from4("240.0.0.1")},
    {"from broadcast", DropReason::bad_source_address, from4("255.255.255.255")},
    {"to 0/8", DropReason::bad_destination_address, to4("0.0.0.0")},
    {"to loopback", DropReason::bad_destination_address, to4("127.255.0.1")},
    {"to multicast", DropReason::bad_destination_address, to4("239.255.255.255")},
    {"to broadcast", DropReason::bad_destination_address, to4("255.255.255.255")},
    {"from ::", DropReason::bad_source_address, from6("::")},
    {"from ::1", DropReason::bad_source_address, from6("::1")},
    {"from multicast, IPv6", DropReason::bad_source_address, from6("ff02::1")},
    {"from IPv4-mapped", DropReason::bad_source_address, from6("::ffff:10.0.0.1")},
    {"to ::", DropReason::bad_destination_address, to6("::")},
    {"to ::1", DropReason::bad_destination_address, to6("::1")},
    {"to multicast, IPv6", DropReason::bad_destination_address, to6("ff05::2")},
    {"to IPv4-mapped", DropReason::bad_destination_address, to6("::ffff:10.0.0.1")},
    {"first fragment that is empty", DropReason::fragment_bad,
     v4().fragment(0, true).protocol(17).payload(0).build()},
    {"first fragment without all of TCP", DropReason::fragment_bad,
     v4().fragment(0, true).protocol(6).payload(16).build()},
    {"first fragment without TCP's options", DropReason::fragment_bad,
     v6().fragment(0, true).tcp(1, 2).header_length(15).payload(4).build()},
    {"first fragment that ends in an extension header", DropReason::bad_extension_header,
     v6().fragment(0, true).destination_options().set8(1, 5).payload(8).build()},
    {"second fragment inside of TCP's header, RFC 1858", DropReason::fragment_bad,
     v4().fragment(8, false).protocol(6).payload(16).build()},
    {"fragment length no multiple of 8", DropReason::fragment_bad,
     v4().fragment(64, true).protocol(17).payload(12).build()},
    {"fragment length no multiple of 8, IPv6", DropReason::fragment_bad,
     v6().fragment(64, true).protocol(17).payload(12).build()},
    {"empty fragment", DropReason::fragment_bad, v4().fragment(64, false).protocol(17).build()},
    {"fragment beyond 65,535", DropReason::fragment_bad,
     v4().fragment(65528, false).protocol(17).payload(8).build()},
    {"ICMP error without room for a quote", DropReason::icmp_error_bad_quote,
     v4().icmp(3, 0).payload(19).build()},
    {"ICMPv6 error without room for a quote", DropReason::icmp_error_bad_quote,
     v6().icmpv6(1, 0).payload(39).build()},
    {"ICMP error in fragments", DropReason::icmp_error_bad_quote,
     v4().fragment(0, true).icmp(3, 0).payload(32).build()},
};

TEST(Parse, Refuses) {
  for (const auto& each : k_refused) {
    Parsed out;
    EXPECT_EQ(text_of(parse_frame(each.packet, family_of(each.packet), out)).name,
              text_of(each.reason).name)
        << each.name;
  }
  Parsed out;
  EXPECT_EQ(parse_frame(v4().udp(1, 2).build(), 5, out), DropReason::bad_ip_version);
}

// The addresses beside the forbidden ones.
TEST(Parse, AllowsTheNeighboursOfForbiddenAddresses) {
  for (const char* address : {"1.0.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255"}) {
    Parsed out;
    EXPECT_EQ(parse_frame(from4(address), 4, out), DropReason::none) << address;
    EXPECT_EQ(parse_frame(to4(address), 4, out), DropReason::none) << address;
  }
  for (const char* address :
       {"::2", "::fffe:10.0.0.1", "::1:0:10.0.0.1", "64:ff9b::1", "fec0::1"}) {
    Parsed out;
    EXPECT_EQ(parse_frame(from6(address), 6, out), DropReason::none) << address;
    EXPECT_EQ(parse_frame(to6(address), 6, out), DropReason::none) << address;
    EXPECT_EQ(out.flags, 0) << address;
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

// ---- the fast path ----

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
  for (const auto& each : k_refused) {
    Parsed out;
    EXPECT_FALSE(parse_fast(each.packet, k_front, family_of(each.packet), out)) << each.name;
  }
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
