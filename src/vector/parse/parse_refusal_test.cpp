// What parsing refuses, each for its reason. The fast way never accepts any of it.

#include <gtest/gtest.h>

#include "vector/parse/parse_fast.h"
#include "vector/parse/parse_fixture.h"

namespace margay::vector {
namespace {

using testing::Bytes;
using testing::front;
using testing::k_front;
using testing::parse_frame;
using testing::v4;
using testing::v6;
using testing::v6_with_extension_headers;

uint8_t family_of(const Bytes& packet) { return packet.at(12) == 0x86 ? 6 : 4; }

struct Refused {
  const char* name;
  DropReason reason;
  Bytes packet;
};

Bytes from4(const char* source) { return front().ipv4(source, "10.0.0.2").udp(1, 2).build(); }
Bytes to4(const char* destination) {
  return front().ipv4("10.0.0.1", destination).udp(1, 2).build();
}
Bytes from6(const char* source) { return front().ipv6(source, "fd00::2").udp(1, 2).build(); }
Bytes to6(const char* destination) {
  return front().ipv6("fd00::1", destination).udp(1, 2).build();
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
     v6_with_extension_headers(9).udp(1, 2).build()},
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

TEST(ParseFast, AcceptsNothingThatIsRefused) {
  for (const auto& each : k_refused) {
    Parsed out;
    EXPECT_FALSE(parse_fast(each.packet, k_front, family_of(each.packet), out)) << each.name;
  }
}

}  // namespace
}  // namespace margay::vector
