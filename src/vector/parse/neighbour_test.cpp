#include "vector/parse/neighbour.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <string>

#include "vector/testing/packet_builder.h"

namespace margay::vector {
namespace {

using testing::Bytes;
using testing::PacketBuilder;

constexpr net::MacAddress k_gateway{{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}};
constexpr net::MacAddress k_pod{{2, 0, 0, 0, 0, 2}};  // the packet builder's source

// ---- ARP ----

// Pod at 10.0.0.1 asks for 169.254.1.1.
const Bytes k_request_body{0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,   0,   0, 2,
                           10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 169, 254, 1, 1};
Bytes arp_frame(const Bytes& body) {
  return PacketBuilder().ethernet({255, 255, 255, 255, 255, 255}).ether_type(0x0806, body).build();
}
Bytes with(Bytes body, size_t offset, uint8_t value) {
  body.at(offset) = value;
  return body;
}

TEST(Arp, ARequestIsAnswered) {
  auto frame = arp_frame(k_request_body);
  Arp arp;
  ASSERT_EQ(parse_arp(frame, arp), DropReason::none);
  EXPECT_EQ(arp.operation, ArpOperation::request);
  EXPECT_EQ(arp.sender_mac, k_pod);
  EXPECT_EQ(arp.sender, (std::array<uint8_t, 4>{10, 0, 0, 1}));
  EXPECT_EQ(arp.target, (std::array<uint8_t, 4>{169, 254, 1, 1}));
  EXPECT_TRUE(asks_for_another(arp));

  const Bytes reply{2,   0,   0, 0, 0, 2, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 8,    6,
                    0,   1,   8, 0, 6, 4, 0,    2,    0xee, 0xee, 0xee, 0xee, 0xee, 0xee,
                    169, 254, 1, 1, 2, 0, 0,    0,    0,    2,    10,   0,    0,    1};
  build_arp_reply(arp, k_gateway, frame);  // in place
  EXPECT_EQ(frame, reply);
  ASSERT_EQ(parse_arp(frame, arp), DropReason::none);
  EXPECT_EQ(arp.operation, ArpOperation::reply);
  EXPECT_EQ(arp.sender_mac, k_gateway);
  EXPECT_FALSE(asks_for_another(arp));
}

TEST(Arp, ProbesAndAnnouncementsAreNotAnswered) {
  Bytes probe = k_request_body, announcement = k_request_body;
  std::fill_n(probe.begin() + 14, 4, uint8_t{0});
  std::copy_n(announcement.begin() + 14, 4, announcement.begin() + 24);
  for (const auto& body : {probe, announcement}) {
    Arp arp;
    ASSERT_EQ(parse_arp(arp_frame(body), arp), DropReason::none);
    EXPECT_FALSE(asks_for_another(arp));
  }
}

TEST(Arp, Refuses) {
  const std::tuple<const char*, DropReason, Bytes> cases[] = {
      {"cut", DropReason::truncated, Bytes(k_request_body.begin(), k_request_body.end() - 1)},
      {"hardware", DropReason::bad_l4_header, with(k_request_body, 1, 6)},
      {"protocol", DropReason::bad_l4_header, with(k_request_body, 2, 0x86)},
      {"hardware length", DropReason::bad_l4_header, with(k_request_body, 4, 8)},
      {"protocol length", DropReason::bad_l4_header, with(k_request_body, 5, 16)},
      {"operation 0", DropReason::bad_l4_header, with(k_request_body, 7, 0)},
      {"operation 3", DropReason::bad_l4_header, with(k_request_body, 7, 3)},
      {"from a group", DropReason::bad_l4_header, with(k_request_body, 8, 1)},
  };
  for (const auto& [name, reason, body] : cases) {
    Arp arp;
    EXPECT_EQ(parse_arp(arp_frame(body), arp), reason) << name;
  }
}

// ---- neighbour discovery ----

Bytes address(const char* text) {
  Bytes bytes(16);
  inet_pton(AF_INET6, text, bytes.data());
  return bytes;
}

Bytes body_of(const char* target, const Bytes& options) {
  Bytes body = address(target);
  body.insert(body.end(), options.begin(), options.end());
  return body;
}

const Bytes k_source_option{1, 1, 2, 0, 0, 0, 0, 7};

struct Ask {
  const char* source = "fe80::2";
  const char* destination = "ff02::1:ff00:1";
  const char* target = "fe80::1";
  Bytes options = k_source_option;
  uint8_t hops = 255, code = 0;

  PacketBuilder builder() const {
    return PacketBuilder()
        .ethernet({0x33, 0x33, 0xff, 0, 0, 1})
        .ipv6(source, destination)
        .ttl(hops)
        .icmpv6(135, code)
        .payload(body_of(target, options));
  }
};

TEST(NeighbourSolicitation, IsAnswered) {
  auto frame = Ask{}.builder().build();
  ASSERT_TRUE(is_neighbour_solicitation(frame));
  NeighbourSolicitation asked;
  ASSERT_EQ(parse_neighbour_solicitation(frame, asked), DropReason::none);
  EXPECT_EQ(Bytes(asked.source.begin(), asked.source.end()), address("fe80::2"));
  EXPECT_EQ(Bytes(asked.target.begin(), asked.target.end()), address("fe80::1"));
  EXPECT_EQ(asked.source_mac, (net::MacAddress{{2, 0, 0, 0, 0, 7}}));
  EXPECT_FALSE(asked.detects_duplicates);

  const Bytes option{2, 1, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
  const auto expected = PacketBuilder()
                            .ethernet({2, 0, 0, 0, 0, 7}, {0xee, 0xee, 0xee, 0xee, 0xee, 0xee})
                            .ipv6("fe80::1", "fe80::2")
                            .ttl(255)
                            .icmpv6(136, 0, 0xe0000000)  // router, solicited, override
                            .payload(body_of("fe80::1", option))
                            .build();
  ASSERT_EQ(expected.size(), k_advertisement_frame);
  build_neighbour_advertisement(asked, k_gateway, frame);  // in place
  EXPECT_EQ(frame, expected);
}

TEST(NeighbourSolicitation, WithoutOptionTheFrameSaysWho) {
  NeighbourSolicitation asked;
  const Ask ask{.destination = "fe80::1", .options = {}};  // RFC 4861 7.2.2: when probing
  ASSERT_EQ(parse_neighbour_solicitation(ask.builder().build(), asked), DropReason::none);
  EXPECT_EQ(asked.source_mac, k_pod);
}

TEST(NeighbourSolicitation, UnknownOptionsAreSkipped) {
  Bytes options{14, 1, 1, 2, 3, 4, 5, 6};  // a nonce, RFC 3971
  options.insert(options.end(), k_source_option.begin(), k_source_option.end());
  NeighbourSolicitation asked;
  ASSERT_EQ(parse_neighbour_solicitation(Ask{.options = options}.builder().build(), asked),
            DropReason::none);
  EXPECT_EQ(asked.source_mac.bytes[5], 7);
}

TEST(NeighbourSolicitation, DuplicateDetectionIsKnown) {
  NeighbourSolicitation asked;
  ASSERT_EQ(
      parse_neighbour_solicitation(Ask{.source = "::", .options = {}}.builder().build(), asked),
      DropReason::none);
  EXPECT_TRUE(asked.detects_duplicates);
}

TEST(NeighbourSolicitation, Refuses) {
  const std::tuple<const char*, DropReason, Bytes> cases[] = {
      {"hop limit 254", DropReason::bad_l4_header, Ask{.hops = 254}.builder().build()},
      {"code 1", DropReason::bad_l4_header, Ask{.code = 1}.builder().build()},
      {"checksum", DropReason::bad_l4_header,
       PacketBuilder()
           .ethernet()
           .ipv6("fe80::2", "fe80::1")
           .ttl(255)
           .icmpv6(135, 0)
           .wrong_checksum()
           .payload(body_of("fe80::1", {}))
           .build()},
      {"multicast target", DropReason::bad_l4_header, Ask{.target = "ff02::1"}.builder().build()},
      {"multicast source", DropReason::bad_source_address,
       Ask{.source = "ff02::1"}.builder().build()},
      {"option of length 0", DropReason::bad_l4_header,
       Ask{.options = {1, 0, 2, 0, 0, 0, 0, 7}}.builder().build()},
      {"option beyond the end", DropReason::bad_l4_header,
       Ask{.options = {1, 2, 2, 0, 0, 0, 0, 7}}.builder().build()},
      {"half an option", DropReason::bad_l4_header, Ask{.options = {1}}.builder().build()},
      {"a group as source MAC", DropReason::bad_l4_header,
       Ask{.options = {1, 1, 3, 0, 0, 0, 0, 7}}.builder().build()},
      {"duplicate detection with an option", DropReason::bad_l4_header,
       Ask{.source = "::"}.builder().build()},
      {"duplicate detection, not to the solicited node", DropReason::bad_destination_address,
       Ask{.source = "::", .destination = "ff02::1", .options = {}}.builder().build()},
      {"advertisement", DropReason::bad_l4_header,
       PacketBuilder()
           .ethernet()
           .ipv6("fe80::2", "fe80::1")
           .ttl(255)
           .icmpv6(136, 0)
           .payload(body_of("fe80::1", {}))
           .build()},
      {"no target", DropReason::truncated,
       PacketBuilder()
           .ethernet()
           .ipv6("fe80::2", "fe80::1")
           .ttl(255)
           .icmpv6(135, 0)
           .payload(15)
           .build()},
      {"length without the target", DropReason::bad_ip_total_length,
       PacketBuilder()
           .ethernet()
           .ipv6("fe80::2", "fe80::1")
           .length(23)
           .ttl(255)
           .icmpv6(135, 0)
           .payload(16)
           .build()},
      {"length beyond the frame", DropReason::bad_ip_total_length,
       PacketBuilder()
           .ethernet()
           .ipv6("fe80::2", "fe80::1")
           .length(25)
           .ttl(255)
           .icmpv6(135, 0)
           .payload(16)
           .build()},
      {"version", DropReason::bad_ip_version,
       PacketBuilder()
           .ethernet()
           .ipv6("fe80::2", "fe80::1")
           .version(4)
           .icmpv6(135, 0)
           .payload(16)
           .build()},
  };
  for (const auto& [name, reason, frame] : cases) {
    NeighbourSolicitation asked;
    EXPECT_EQ(text_of(parse_neighbour_solicitation(frame, asked)).name, text_of(reason).name)
        << name;
  }
}

TEST(NeighbourSolicitation, OnlyRightBehindTheHeader) {
  EXPECT_FALSE(is_neighbour_solicitation(
      PacketBuilder().ethernet().ipv6("fe80::2", "fe80::1").icmpv6(136, 0).build()));
  EXPECT_FALSE(is_neighbour_solicitation(
      PacketBuilder().ethernet().ipv6("fe80::2", "fe80::1").udp(135 << 8, 1).build()));
  EXPECT_FALSE(is_neighbour_solicitation(
      PacketBuilder().ethernet().ipv6("fe80::2", "fe80::1").icmpv6(135, 0).truncate(54).build()));
}

}  // namespace
}  // namespace margay::vector
