#include "vector/parse/rewrite.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "vector/parse/parse.h"
#include "vector/testing/packet_builder.h"

namespace margay::vector {
namespace {

using testing::Bytes;
using testing::PacketBuilder;

constexpr uint8_t k_protocols[] = {protocol::k_tcp,  protocol::k_udp,  protocol::k_udplite,
                                   protocol::k_sctp, protocol::k_icmp, 47};

// A flow's end points as text, so that packets can be built for them.
struct Flow {
  std::string source, destination;
  uint16_t source_port, destination_port;

  Flow reversed() const { return {destination, source, destination_port, source_port}; }
};

PacketBuilder packet_of(const Flow& flow, uint8_t proto, size_t payload) {
  auto builder = PacketBuilder().ip(flow.source, flow.destination);
  const auto& [source, destination, from, to] = flow;
  if (proto == protocol::k_tcp)
    builder.tcp(from, to);
  else if (proto == protocol::k_udp)
    builder.udp(from, to);
  else if (proto == protocol::k_udplite)
    builder.udplite(from, to);
  else if (proto == protocol::k_sctp)
    builder.sctp(from, to);
  else if (proto == protocol::k_icmp)
    builder.echo(false, from);
  else
    builder.protocol(proto);
  return builder.payload(payload);
}

template <size_t Address>
Ends<Address> ends(const Flow& flow, uint8_t proto) {
  Ends<Address> made{.source_port = flow.source_port, .destination_port = flow.destination_port};
  constexpr int k_family = Address == 4 ? AF_INET : AF_INET6;
  inet_pton(k_family, flow.source.c_str(), made.source.data());
  inet_pton(k_family, flow.destination.c_str(), made.destination.data());
  if (proto == protocol::k_icmp || proto == protocol::k_icmpv6)
    made.destination_port = made.source_port;
  return made;
}

template <size_t Address>
uint8_t on_wire(uint8_t proto) {
  return Address == 16 && proto == protocol::k_icmp ? protocol::k_icmpv6 : proto;
}

template <size_t Address>
Rewrite<Address> rewrite_of(const Flow& from, const Flow& to, uint8_t proto) {
  return make_rewrite(on_wire<Address>(proto), ends<Address>(from, on_wire<Address>(proto)),
                      ends<Address>(to, on_wire<Address>(proto)));
}

Parsed parsed(const Bytes& packet) {
  Parsed out;
  EXPECT_EQ(parse(packet, 0, packet[0] >> 4, out), DropReason::none);
  return out;
}

const Flow k_before4{"10.0.0.1", "10.96.0.10", 1000, 80};
const Flow k_after4{"192.0.2.7", "10.1.255.9", 60001, 8080};
const Flow k_before6{"fd00::1", "fd00:96::a", 1000, 80};
const Flow k_after6{"2001:db8::7", "fd00:1:ffff::9", 60001, 8080};

// What was rewritten is what would have been built: whole packets compare.
template <size_t Address>
void expect_rewritten(const Flow& from, const Flow& to) {
  for (const uint8_t proto : k_protocols) {
    for (const size_t payload : {0u, 1u, 40u, 1333u}) {
      auto packet = packet_of(from, proto, payload).build();
      const auto rewrite = rewrite_of<Address>(from, to, proto);
      ASSERT_TRUE(apply(rewrite, packet.data(), parsed(packet)));
      ASSERT_EQ(packet, packet_of(to, proto, payload).build()) << int{proto} << ' ' << payload;

      // The way back, with the complements.
      auto back = rewrite_of<Address>(to, from, proto);
      back.addresses = ~rewrite.addresses;
      back.transport = ~rewrite.transport;
      ASSERT_TRUE(apply(back, packet.data(), parsed(packet)));
      ASSERT_EQ(packet, packet_of(from, proto, payload).build()) << int{proto} << ' ' << payload;
    }
  }
}

TEST(Rewrite, MakesThePacketOfTheOtherFlow) {
  expect_rewritten<4>(k_before4, k_after4);
  expect_rewritten<16>(k_before6, k_after6);
}

TEST(Rewrite, ToTheSameFlowChangesNothing) {
  expect_rewritten<4>(k_before4, k_before4);
  expect_rewritten<16>(k_before6, k_before6);
}

TEST(Rewrite, AnyFlowToAnyOther) {
  std::mt19937 random(3);
  const auto port = [&] { return static_cast<uint16_t>(random() % 4 ? random() : 0xffff); };
  const auto octet = [&] { return std::to_string(random() % 256); };
  const auto flow = [&] {
    return Flow{"10." + octet() + "." + octet() + "." + octet(),
                "10." + octet() + "." + octet() + "." + octet(), port(), port()};
  };
  for (int round = 0; round < 300; ++round) expect_rewritten<4>(flow(), flow());
}

// All sums that a UDP checksum can have, also those where a computed zero is sent as 0xffff.
TEST(Rewrite, EveryUdpChecksum) {
  Flow to = k_after4;
  for (uint32_t port = 0; port <= 0xffff; ++port) {
    to.source_port = static_cast<uint16_t>(port);
    auto packet = packet_of(k_before4, protocol::k_udp, 2).build();
    const auto rewrite = rewrite_of<4>(k_before4, to, protocol::k_udp);
    ASSERT_TRUE(apply(rewrite, packet.data(), parsed(packet)));
    ASSERT_EQ(packet, packet_of(to, protocol::k_udp, 2).build()) << port;
  }
}

TEST(Rewrite, UdpWithoutChecksumStaysWithout) {
  auto packet = PacketBuilder().ipv4("10.0.0.1", "10.96.0.10").udp(1000, 80).checksum(0).build();
  const auto rewrite = rewrite_of<4>(k_before4, k_after4, protocol::k_udp);
  ASSERT_TRUE(apply(rewrite, packet.data(), parsed(packet)));
  EXPECT_EQ(packet,
            PacketBuilder().ipv4("192.0.2.7", "10.1.255.9").udp(60001, 8080).checksum(0).build());
}

TEST(Rewrite, WhatWasDamagedStaysDamaged) {
  for (const uint8_t proto : k_protocols) {
    if (proto == 47) continue;
    auto packet = packet_of(k_before4, proto, 40).build();
    packet.back() ^= 0x10;
    ASSERT_TRUE(apply(rewrite_of<4>(k_before4, k_after4, proto), packet.data(), parsed(packet)));
    EXPECT_FALSE(testing::checksums_right(packet, 20, proto)) << int{proto};
  }
}

// A UDPLite checksum over the header only.
TEST(Rewrite, PartlyCoveredUdplite) {
  auto packet =
      PacketBuilder().ipv4("10.0.0.1", "10.96.0.10").udplite(1000, 80).length(8).payload(9).build();
  ASSERT_TRUE(apply(rewrite_of<4>(k_before4, k_after4, protocol::k_udplite), packet.data(),
                    parsed(packet)));
  EXPECT_TRUE(testing::checksums_right(packet, 20, protocol::k_udplite));
}

// With checksum offload the field holds the pseudo header's sum; ports do not count in it.
template <size_t Address>
void expect_partial_follows(const Flow& from, const Flow& to, uint8_t proto) {
  const size_t l4 = Address == 4 ? 20 : 40;
  const size_t field = proto == protocol::k_tcp ? 16 : 6;
  const auto partial = [&](const Flow& flow) {
    auto packet = packet_of(flow, proto, 3).build();
    const auto sum =
        fold(pseudo_header_sum(packet.data(), packet[0] >> 4, proto, packet.size() - l4));
    store(&packet[l4 + field], sum);
    return packet;
  };
  auto packet = partial(from);
  ASSERT_TRUE(apply(rewrite_of<Address>(from, to, proto), packet.data(), parsed(packet),
                    L4Checksum::partial));
  EXPECT_EQ(packet, partial(to));
}

TEST(Rewrite, PartialChecksums) {
  for (const uint8_t proto : {protocol::k_tcp, protocol::k_udp}) {
    expect_partial_follows<4>(k_before4, k_after4, proto);
    expect_partial_follows<16>(k_before6, k_after6, proto);
  }
}

// The fragments of what was rewritten are the rewritten fragments.
TEST(Rewrite, Fragments) {
  for (const uint8_t proto : k_protocols) {
    for (const bool v4 : {true, false}) {
      const auto& from = v4 ? k_before4 : k_before6;
      const auto& to = v4 ? k_after4 : k_after6;
      const auto before = testing::fragments(packet_of(from, proto, 200).build(), 96);
      const auto after = testing::fragments(packet_of(to, proto, 200).build(), 96);
      ASSERT_GE(before.size(), 3u);
      for (size_t i = 0; i < before.size(); ++i) {
        auto packet = before[i];
        const bool done =
            v4 ? apply(rewrite_of<4>(from, to, proto), packet.data(), parsed(packet))
               : apply(rewrite_of<16>(from, to, proto), packet.data(), parsed(packet));
        const bool possible = proto != protocol::k_sctp || i > 0;
        EXPECT_EQ(done, possible) << int{proto} << ' ' << i;
        if (!possible) continue;
        EXPECT_EQ(packet, after[i]) << int{proto} << " " << i;
      }
    }
  }
}

TEST(Rewrite, SctpInFragmentsKeepsItsPorts) {
  Flow to = k_after4;
  to.source_port = k_before4.source_port;
  to.destination_port = k_before4.destination_port;
  auto first = testing::fragments(packet_of(k_before4, protocol::k_sctp, 200).build(), 96)[0];
  ASSERT_TRUE(apply(rewrite_of<4>(k_before4, to, protocol::k_sctp), first.data(), parsed(first)));
  EXPECT_EQ(first, testing::fragments(packet_of(to, protocol::k_sctp, 200).build(), 96)[0]);
}

TEST(Rewrite, IcmpOfZeroesOnly) {
  const auto reply = [](uint16_t id) {
    return PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").echo(true, id, 0).build();
  };
  const Flow before{"10.0.0.1", "10.0.0.2", 7, 7}, after{"10.0.0.1", "10.0.0.2", 0, 0};
  auto packet = reply(7);
  ASSERT_TRUE(apply(rewrite_of<4>(before, after, protocol::k_icmp), packet.data(), parsed(packet)));
  EXPECT_EQ(packet, reply(0));
}

// ---- ICMP errors ----

PacketBuilder error_builder(const std::string& source, const std::string& destination) {
  auto builder = PacketBuilder().ip(source, destination);
  return source.contains(':') ? builder.icmpv6(3, 0) : builder.icmp(11, 0);
}

// The client's packet was `sent`, the NAT had made `translated` of it, and an error comes about
// that.
template <size_t Address>
void expect_error_translated(const Flow& sent, const Flow& translated, const std::string& reporter,
                             const std::string& reporter_after) {
  for (const uint8_t proto : k_protocols) {
    for (const size_t quoted :
         {size_t{Address == 4 ? 28 : 48}, size_t{Address == 4 ? 45 : 65}, size_t{999}}) {
      auto error = error_builder(reporter, translated.source)
                       .payload(packet_of(translated, proto, 40).truncate(quoted).build())
                       .build();
      const auto outer = parsed(error);
      Parsed quote;
      ASSERT_EQ(parse_quote(error, outer, quote), DropReason::none);
      const auto rewrite = rewrite_of<Address>(translated.reversed(), sent.reversed(), proto);
      auto of_icmp = rewrite;  // an identifier is the same in both directions
      if (proto == protocol::k_icmp)
        of_icmp = rewrite_of<Address>(
            {translated.destination, translated.source, translated.source_port, 0},
            {sent.destination, sent.source, sent.source_port, 0}, proto);
      apply_to_icmp_error(of_icmp, error.data(), outer, quote);

      auto expected = error_builder(reporter_after, sent.source)
                          .payload(packet_of(sent, proto, 40).truncate(quoted).build())
                          .build();
      if (proto == protocol::k_sctp) {  // a CRC in the quote stays
        const size_t crc = quote.l4_offset + 8;
        for (size_t i = crc; i < crc + 4 && i < error.size(); ++i) expected[i] = error[i];
        EXPECT_TRUE(testing::checksums_right(error, outer.l4_offset, outer.protocol));
        store(&error[outer.l4_offset + 2u], load<uint16_t>(&expected[outer.l4_offset + 2u]));
      }
      EXPECT_EQ(error, expected) << int{proto} << ' ' << quoted;
    }
  }
}

TEST(RewriteIcmpError, FromARouterAboutASourceNat) {
  expect_error_translated<4>({"10.0.0.1", "198.51.100.1", 1000, 80},
                             {"192.0.2.7", "198.51.100.1", 60001, 80}, "203.0.113.9",
                             "203.0.113.9");
  expect_error_translated<16>({"fd00::1", "2001:db8:1::1", 1000, 80},
                              {"2001:db8::7", "2001:db8:1::1", 60001, 80}, "2001:db8:2::9",
                              "2001:db8:2::9");
}

TEST(RewriteIcmpError, FromTheBackendOfAService) {
  expect_error_translated<4>({"10.0.0.1", "10.96.0.10", 1000, 80},
                             {"10.0.0.1", "10.1.0.5", 1000, 8080}, "10.1.0.5", "10.96.0.10");
  expect_error_translated<16>({"fd00::1", "fd00:96::a", 1000, 80},
                              {"fd00::1", "fd00:1::5", 1000, 8080}, "fd00:1::5", "fd00:96::a");
}

TEST(RewriteIcmpError, FromARouterBehindAService) {
  expect_error_translated<4>({"10.0.0.1", "10.96.0.10", 1000, 80},
                             {"192.0.2.7", "10.1.0.5", 60001, 8080}, "10.2.2.2", "10.96.0.10");
}

// Each family has its own ICMP; the other's number is some protocol, whose header is not known to
// be there.
TEST(RewriteIcmpError, QuotedIcmpOfTheOtherFamily) {
  for (const bool v4 : {true, false}) {
    const auto quote = v4 ? PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").protocol(58).build()
                          : PacketBuilder().ipv6("fd00::1", "fd00::2").protocol(1).build();
    auto error = v4 ? error_builder("10.0.0.2", "10.0.0.1").payload(quote).build()
                    : error_builder("fd00::2", "fd00::1").payload(quote).build();
    error.shrink_to_fit();  // so that AddressSanitizer sees what is written behind
    const auto before = error;
    const auto outer = parsed(error);
    Parsed read;
    ASSERT_EQ(parse_quote(error, outer, read), DropReason::none);
    if (v4) {
      const Flow way_back{"10.0.0.2", "10.0.0.1", 0, 0};
      apply_to_icmp_error(rewrite_of<4>(way_back, way_back, 58), error.data(), outer, read);
    } else {
      Flow way_back{"fd00::2", "fd00::1", 0, 0};
      const auto ends6 = ends<16>(way_back, 1);
      apply_to_icmp_error(make_rewrite(1, ends6, ends6), error.data(), outer, read);
    }
    EXPECT_EQ(error, before);
  }
}

// ---- hops ----

TEST(DecrementTtl, ForEveryHopCountAndSum) {
  for (uint32_t id = 0; id < 0x10000; id += 7) {
    const auto hops = static_cast<uint8_t>(2 + id % 254);
    const auto with = [&](uint8_t ttl) {
      return PacketBuilder()
          .ipv4("10.0.0.1", "10.0.0.2")
          .ttl(ttl)
          .set16(4, static_cast<uint16_t>(id))
          .udp(1, 2)
          .build();
    };
    auto packet = with(hops);
    ASSERT_TRUE(decrement_ttl(packet.data(), 4));
    ASSERT_EQ(packet, with(static_cast<uint8_t>(hops - 1))) << id;
  }
  auto packet = PacketBuilder().ipv6("fd00::1", "fd00::2").ttl(2).udp(1, 2).build();
  ASSERT_TRUE(decrement_ttl(packet.data(), 6));
  EXPECT_EQ(packet, PacketBuilder().ipv6("fd00::1", "fd00::2").ttl(1).udp(1, 2).build());
}

TEST(DecrementTtl, RefusesTheLastHop) {
  for (const uint8_t hops : {uint8_t{0}, uint8_t{1}}) {
    for (auto packet : {PacketBuilder().ipv4("10.0.0.1", "10.0.0.2").ttl(hops).udp(1, 2).build(),
                        PacketBuilder().ipv6("fd00::1", "fd00::2").ttl(hops).udp(1, 2).build()}) {
      const auto before = packet;
      EXPECT_FALSE(decrement_ttl(packet.data(), packet[0] >> 4));
      EXPECT_EQ(packet, before);
    }
  }
}

}  // namespace
}  // namespace margay::vector
