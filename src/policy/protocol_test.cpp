#include "policy/protocol.h"

#include <gtest/gtest.h>

namespace margay::policy {
namespace {

TEST(Protocol, HasANameThatIsReadInAnyCase) {
  struct Case {
    const char* written;
    uint8_t number;
    const char* name;
    bool ports, port_rules, icmp;
  };
  for (const auto& [written, number, name, ports, port_rules, icmp] :
       {Case{"TCP", k_tcp, "tcp", true, true, false}, Case{"udp", k_udp, "udp", true, true, false},
        Case{"Sctp", k_sctp, "sctp", true, true, false},
        Case{"UDPLite", k_udplite, "udplite", true, false, false},
        Case{"ICMP", k_icmp, "icmp", false, false, true},
        Case{"ICMPv6", k_icmpv6, "icmpv6", false, false, true}}) {
    EXPECT_EQ(protocol_by_name(written), number);
    EXPECT_EQ(protocol_name(number), name);
    EXPECT_EQ(has_ports(number), ports) << name;
    EXPECT_EQ(takes_port_rules(number), port_rules) << name;
    EXPECT_EQ(is_icmp(number), icmp) << name;
  }
  EXPECT_EQ(protocol_by_name("quic"), std::nullopt);
  EXPECT_EQ(protocol_by_name(""), std::nullopt);
  EXPECT_EQ(protocol_name(47), "protocol 47");
}

}  // namespace
}  // namespace margay::policy
