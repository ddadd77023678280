#include "policy/failsafe.h"

#include <gmock/gmock.h>

#include "policy/evaluate_cluster.h"

namespace margay::policy {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto k_in = Direction::ingress;
constexpr auto k_out = Direction::egress;

TEST(Failsafes, AreReadInEveryForm) {
  const auto read = parse_failsafes(
      "179, tcp:22,UDP:10.0.0.7/8:68 ,tcp:[2001:db8::1/32]:2379,sctp:2001:db8::/32:38412");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(*read, ElementsAre(Failsafe{k_tcp, {}, 179}, Failsafe{k_tcp, {}, 22},
                                 Failsafe{k_udp, net("10.0.0.0/8"), 68},
                                 Failsafe{k_tcp, net("2001:db8::/32"), 2379},
                                 Failsafe{k_sctp, net("2001:db8::/32"), 38412}));
  EXPECT_THAT(parse_failsafes("none").value(), IsEmpty());
  EXPECT_THAT(parse_failsafes("").value(), IsEmpty());
}

TEST(Failsafes, OneThatMakesNoSenseIsNamed) {
  for (const char* text : {"22x", "65536", "icmp:1", "udplite:1", "tcp:", "tcp:10.0.0.0/33:22",
                           "tcp:host:22", "tcp::22", "-1", "tcp:10.0.0.0/8:", "bgp:179"}) {
    const auto read = parse_failsafes(std::string("tcp:22,") + text);
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().message, ::testing::HasSubstr(text));
  }
}

TEST(Failsafes, WithoutSettingsAreCalicos) {
  EXPECT_EQ(default_failsafes().inbound.size(), 9u);
  EXPECT_EQ(default_failsafes().outbound.size(), 9u);
  EXPECT_TRUE(is_failsafe(default_failsafes(), k_in, tcp("203.0.113.1", "10.0.0.1", 22)));
  EXPECT_FALSE(is_failsafe(default_failsafes(), k_out, tcp("10.0.0.1", "203.0.113.1", 22)));
}

// The net is the remote side's, and opens the port to nobody of the other family.
TEST(Failsafes, AreForTheirNetAndItsFamily) {
  const Failsafes safe{.inbound = parse_failsafes("tcp:10.0.0.0/8:22,udp:53").value(),
                       .outbound = parse_failsafes("tcp:2001:db8::/32:443").value()};
  struct Case {
    Direction direction;
    Packet packet;
    bool is_safe;
  };
  Packet name_query = tcp("fd00::1", "fd00::2", 53);
  name_query.protocol = k_udp;
  for (const auto& [direction, packet, is_safe] :
       {Case{k_in, tcp("10.1.1.1", "192.0.2.1", 22), true},
        Case{k_in, tcp("192.0.2.9", "10.1.1.1", 22), false},
        Case{k_in, tcp("fd00::1", "fd00::2", 22), false},
        Case{k_in, tcp("10.1.1.1", "192.0.2.1", 40000, 22), false}, Case{k_in, name_query, true},
        Case{k_in, tcp("10.1.1.1", "192.0.2.1", 53), false},
        Case{k_out, tcp("fd00::1", "2001:db8::1", 443), true},
        Case{k_out, tcp("192.0.2.1", "203.0.113.1", 443), false}})
    EXPECT_EQ(is_failsafe(safe, direction, packet), is_safe) << to_string(packet);
}

TEST(Failsafes, LetNeighboursBeFound) {
  for (uint8_t type = 0; type < 255; ++type) {
    const Packet packet{.source = ip("fe80::1"),
                        .destination = ip("ff02::1"),
                        .protocol = k_icmpv6,
                        .icmp_type = type};
    EXPECT_EQ(is_failsafe({}, k_in, packet), type >= 133 && type <= 136) << int{type};
  }
}

TEST(Failsafes, AreAnsweredFromTheirPort) {
  const Failsafes safe{.inbound = parse_failsafes("tcp:10.0.0.0/8:22").value(),
                       .outbound = parse_failsafes("tcp:443").value()};
  EXPECT_TRUE(answers_failsafe(safe, k_out, tcp("192.0.2.1", "10.1.1.1", 40000, 22)));
  EXPECT_FALSE(answers_failsafe(safe, k_out, tcp("192.0.2.1", "11.1.1.1", 40000, 22)));
  EXPECT_TRUE(answers_failsafe(safe, k_in, tcp("203.0.113.1", "192.0.2.1", 40000, 443)));
  EXPECT_FALSE(answers_failsafe(safe, k_in, tcp("10.1.1.1", "192.0.2.1", 40000, 22)));
}

}  // namespace
}  // namespace margay::policy
