#include <gtest/gtest.h>

#include "vector/parse/parse.h"
#include "vector/testing/packet_builder.h"

namespace margay::vector {
namespace {

using testing::Bytes;
using testing::k_syn;
using testing::PacketBuilder;

// What a workload at 10.0.0.1 or fd00::1 had sent, and what a router says of it.
PacketBuilder sent4() { return PacketBuilder().ipv4("10.0.0.1", "10.0.0.2"); }
PacketBuilder sent6() { return PacketBuilder().ipv6("fd00::1", "fd00::2"); }

Bytes error_about(const Bytes& quote, const char* to4 = "10.0.0.1", const char* to6 = "fd00::1") {
  if (quote[0] >> 4 == 4)
    return PacketBuilder().ipv4("192.0.2.1", to4).icmp(11, 0).payload(quote).build();
  return PacketBuilder().ipv6("2001:db8::1", to6).icmpv6(3, 0).payload(quote).build();
}

DropReason read(const Bytes& packet, Parsed& out) {
  Parsed error;
  const Bytes exact(packet.begin(), packet.end());
  EXPECT_EQ(parse(exact, 0, packet[0] >> 4, error), DropReason::none);
  return parse_quote(exact, error, out);
}

struct Case {
  const char* name;
  Bytes quote;
  Parsed expected;
};

TEST(ParseQuote, Understands) {
  const Case cases[] = {
      {"TCP, cut behind 8 bytes",
       sent4().tcp(1000, 80, k_syn).truncate(28).build(),
       {.protocol = 6,
        .l3_offset = 28,
        .l4_offset = 48,
        .l3_length = 28,
        .source_port = 1000,
        .destination_port = 80}},
      {"TCP, whole",
       sent4().tcp(1000, 80, k_syn).build(),
       {.protocol = 6,
        .tcp_flags = k_syn,
        .l3_offset = 28,
        .l4_offset = 48,
        .l3_length = 40,
        .source_port = 1000,
        .destination_port = 80}},
      {"UDP with IPv4 options",
       sent4().options({1, 1, 1, 0}).udp(5, 6).payload(9).build(),
       {.protocol = 17,
        .l3_offset = 28,
        .l4_offset = 52,
        .l3_length = 41,
        .source_port = 5,
        .destination_port = 6}},
      {"a header whose checksum the way has broken",
       sent4().wrong_checksum().udp(5, 6).build(),
       {.protocol = 17,
        .l3_offset = 28,
        .l4_offset = 48,
        .l3_length = 28,
        .source_port = 5,
        .destination_port = 6}},
      {"padding behind the quote, RFC 4884",
       sent4().udp(5, 6).pad(100).build(),
       {.protocol = 17,
        .l3_offset = 28,
        .l4_offset = 48,
        .l3_length = 28,
        .source_port = 5,
        .destination_port = 6}},
      {"SCTP, cut",
       sent4().sctp(5, 6).truncate(28).build(),
       {.protocol = 132,
        .l3_offset = 28,
        .l4_offset = 48,
        .l3_length = 28,
        .source_port = 5,
        .destination_port = 6}},
      {"echo request",
       sent4().echo(false, 77).build(),
       {.protocol = 1,
        .icmp_type = 8,
        .l3_offset = 28,
        .l4_offset = 48,
        .l3_length = 28,
        .source_port = 77,
        .destination_port = 77}},
      {"protocol without ports, nothing of it",
       sent4().protocol(47).build(),
       {.protocol = 47, .l3_offset = 28, .l4_offset = 48, .l3_length = 20}},
      {"first fragment",
       sent4().fragment(0, true).udp(5, 6).payload(8).build(),
       {.protocol = 17,
        .flags = k_fragment,
        .l3_offset = 28,
        .l4_offset = 48,
        .l3_length = 36,
        .source_port = 5,
        .destination_port = 6,
        .fragment_offset = 28}},
      {"later fragment",
       sent4().fragment(80, true).protocol(17).payload(8).build(),
       {.protocol = 17,
        .flags = k_fragment | k_later_fragment,
        .l3_offset = 28,
        .l4_offset = 48,
        .l3_length = 28,
        .fragment_offset = 28}},
      {"IPv6 with extension headers, cut",
       sent6().hop_by_hop().destination_options(1).udp(5, 6).payload(500).truncate(76).build(),
       {.family = 6,
        .protocol = 17,
        .l3_offset = 48,
        .l4_offset = 48 + 64,
        .l3_length = 76,
        .source_port = 5,
        .destination_port = 6}},
      {"ICMPv6 echo",
       sent6().echo(false, 77).build(),
       {.family = 6,
        .protocol = 58,
        .icmp_type = 128,
        .l3_offset = 48,
        .l4_offset = 88,
        .l3_length = 48,
        .source_port = 77,
        .destination_port = 77}},
  };
  for (const auto& each : cases) {
    Parsed out;
    EXPECT_EQ(read(error_about(each.quote), out), DropReason::none) << each.name;
    EXPECT_EQ(out, each.expected) << each.name;
  }
}

TEST(ParseQuote, Refuses) {
  const std::pair<const char*, Bytes> cases[] = {
      {"TCP of 7 bytes", error_about(sent4().tcp(1, 2).truncate(27).build())},
      {"UDP of 7 bytes, IPv6", error_about(sent6().udp(1, 2).truncate(47).build())},
      {"ICMP of 7 bytes", error_about(sent4().echo(false, 1).truncate(27).build())},
      {"UDP that the quoted header ends before", error_about(sent4().length(27).udp(1, 2).build())},
      {"header of 16", error_about(sent4().header_length(4).udp(1, 2).build())},
      {"header beyond the quote", error_about(sent4().header_length(8).udp(1, 2).build())},
      {"total below the header", error_about(sent4().length(19).udp(1, 2).build())},
      {"an error about an error", error_about(sent4().icmp(3, 3).payload(28).build())},
      {"an error about an error, IPv6", error_about(sent6().icmpv6(1, 4).payload(48).build())},
      {"extension header cut", error_about(sent6().destination_options(3).truncate(60).build())},
      {"a source route", error_about(sent6().routing(0, 1).udp(1, 2).build())},
      {"to another than who sent it", error_about(sent4().udp(1, 2).build(), "10.0.0.9")},
      {"to another, IPv6", error_about(sent6().udp(1, 2).build(), "", "fd00::9")},
      {"version 6 in IPv4", PacketBuilder()
                                .ipv4("192.0.2.1", "10.0.0.1")
                                .icmp(3, 0)
                                .payload(sent4().version(6).udp(1, 2).build())
                                .build()},
      {"version 4 in IPv6", PacketBuilder()
                                .ipv6("2001:db8::1", "fd00::1")
                                .icmpv6(3, 0)
                                .payload(sent6().version(4).udp(1, 2).build())
                                .build()},
  };
  for (const auto& [name, packet] : cases) {
    Parsed out;
    EXPECT_EQ(read(packet, out), DropReason::icmp_error_bad_quote) << name;
  }
  Parsed no_error{.l3_length = 100}, out;
  EXPECT_EQ(parse_quote(sent4().udp(1, 2).build(), no_error, out),
            DropReason::icmp_error_bad_quote);
}

// What is behind the IP packet (Ethernet's padding) is no quote.
TEST(ParseQuote, EndsWithThePacket) {
  Bytes packet = error_about(sent4().udp(1, 2).truncate(27).build());
  packet.push_back(9);
  Parsed out;
  EXPECT_EQ(read(packet, out), DropReason::icmp_error_bad_quote);

  packet = error_about(sent4().tcp(1, 2).truncate(33).build());
  packet.push_back(9);  // where TCP's flags would be
  EXPECT_EQ(read(packet, out), DropReason::none);
  EXPECT_EQ(out.tcp_flags, 0);
}

}  // namespace
}  // namespace margay::vector
