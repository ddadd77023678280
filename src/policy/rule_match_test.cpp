#include <gtest/gtest.h>

#include "policy/evaluate_cluster.h"

namespace margay::policy {
namespace {

using namespace testing;

Packet of_protocol(uint8_t protocol) { return {ip("10.65.0.1"), ip("10.65.0.2"), protocol, 1, 1}; }
Packet icmp(uint8_t type, uint8_t code) {
  return {.source = ip("10.65.0.1"),
          .destination = ip("10.65.0.2"),
          .protocol = k_icmp,
          .icmp_type = type,
          .icmp_code = code};
}
Packet icmpv6(uint8_t type) {
  return {.source = ip("fd00::1"),
          .destination = ip("fd00::2"),
          .protocol = k_icmpv6,
          .icmp_type = type};
}

Rule to_ports(EntityMatch destination, uint8_t protocol = k_tcp) {
  return {.protocol = protocol, .destination = std::move(destination)};
}

Rule source_selectors(const char* is, const char* is_not) {
  Rule rule;
  if (is) rule.source.selector = selector(is);
  if (is_not) rule.source.not_selector = selector(is_not);
  return rule;
}
Rule source_selector(const char* is) { return source_selectors(is, nullptr); }
Rule destination_selector(const char* is) {
  Rule rule;
  rule.destination.selector = selector(is);
  return rule;
}

struct MatchCase {
  const char* name;
  Rule rule;
  Packet packet;
  const char* mismatch;  // "": the rule matches
};

void PrintTo(const MatchCase& c, std::ostream* out) { *out << c.name; }

class RuleMatch : public ::testing::TestWithParam<MatchCase> {};

TEST_P(RuleMatch, SaysWhetherAndWhatDoesNot) {
  const MatchCase& c = GetParam();
  std::string mismatch;
  EXPECT_EQ(matches(cluster(), c.rule, c.packet, &mismatch), *c.mismatch == '\0') << c.name;
  EXPECT_EQ(mismatch, c.mismatch) << c.name;
}

const MatchCase k_packet_fields[] = {
    {"an empty rule matches IPv4", {}, k_web, ""},
    {"an empty rule matches IPv6", {}, k_web6, ""},
    {"an empty rule matches any protocol", {}, of_protocol(253), ""},
    {"ipVersion 4", {.family = IPFamily::v4}, k_web, ""},
    {"ipVersion 4, IPv6 packet", {.family = IPFamily::v4}, k_web6, "ipVersion"},
    {"ipVersion 6", {.family = IPFamily::v6}, k_web6, ""},
    {"protocol", {.protocol = k_tcp}, k_web, ""},
    {"protocol differs", {.protocol = k_udp}, k_web, "protocol"},
    {"protocol by number", {.protocol = 253}, of_protocol(253), ""},
    {"UDPLite is not UDP", {.protocol = k_udp}, of_protocol(k_udplite), "protocol"},
    {"ICMP is not ICMPv6", {.protocol = k_icmp}, icmpv6(128), "protocol"},
    {"ICMPv6 is not ICMP", {.protocol = k_icmpv6}, icmp(8, 0), "protocol"},
    {"notProtocol differs", {.not_protocol = k_udp}, k_web, ""},
    {"notProtocol", {.not_protocol = k_tcp}, k_web, "notProtocol"},
    {"icmp type", {.protocol = k_icmp, .icmp = ICMPMatch{8, {}}}, icmp(8, 3), ""},
    {"icmp type differs", {.protocol = k_icmp, .icmp = ICMPMatch{8, {}}}, icmp(0, 0), "icmp"},
    {"icmp type and code", {.protocol = k_icmp, .icmp = ICMPMatch{3, 4}}, icmp(3, 4), ""},
    {"icmp code differs", {.protocol = k_icmp, .icmp = ICMPMatch{3, 4}}, icmp(3, 1), "icmp"},
    {"icmpv6 type", {.protocol = k_icmpv6, .icmp = ICMPMatch{128, {}}}, icmpv6(128), ""},
    {"notICMP differs", {.protocol = k_icmp, .not_icmp = ICMPMatch{8, {}}}, icmp(0, 0), ""},
    {"notICMP", {.protocol = k_icmp, .not_icmp = ICMPMatch{8, {}}}, icmp(8, 0), "notICMP"},
    {"notICMP with another code",
     {.protocol = k_icmp, .not_icmp = ICMPMatch{8, 1}},
     icmp(8, 0),
     ""},
    {"icmp needs its protocol", {.icmp = ICMPMatch{8, {}}}, icmp(8, 0), "icmp"},
    {"an ICMP type is of IPv4",
     {.protocol = k_icmp, .not_icmp = ICMPMatch{8, {}}},
     {ip("fd00::1"), ip("fd00::2"), k_icmp},
     "ipVersion"},
    {"http on Allow is not ours to judge", {.has_http = true}, k_web, "http"},
    {"http on Pass is not ours to judge",
     {.action = Action::pass, .has_http = true},
     k_web,
     "http"},
    {"http on Deny stays closed", {.action = Action::deny, .has_http = true}, k_web, ""},
    {"never", {.never_matches = true}, k_web, "never"},
};
INSTANTIATE_TEST_SUITE_P(PacketFields, RuleMatch, ::testing::ValuesIn(k_packet_fields));

const MatchCase k_nets[] = {
    {"source net", {.source = {.nets = {net("10.65.0.0/31")}}}, k_web, ""},
    {"source net differs", {.source = {.nets = {net("10.65.0.2/31")}}}, k_web, "source.nets"},
    {"any source net", {.source = {.nets = {net("10.9.0.0/16"), net("10.65.0.1/32")}}}, k_web, ""},
    {"destination net", {.destination = {.nets = {net("10.65.0.2/32")}}}, k_web, ""},
    {"destination net differs",
     {.destination = {.nets = {net("10.65.0.3/32")}}},
     k_web,
     "destination.nets"},
    {"not net differs", {.source = {.not_nets = {net("10.65.0.2/32")}}}, k_web, ""},
    {"not net", {.source = {.not_nets = {net("10.65.0.1/32")}}}, k_web, "source.notNets"},
    {"one of two not nets",
     {.destination = {.not_nets = {net("10.9.0.0/16"), net("10.65.0.0/16")}}},
     k_web,
     "destination.notNets"},
    {"net but for an exception inside",
     {.source = {.nets = {net("10.65.0.0/16")}, .not_nets = {net("10.65.0.1/32")}}},
     k_web,
     "source.notNets"},
    {"IPv4 net, IPv6 packet", {.source = {.nets = {net("0.0.0.0/0")}}}, k_web6, "ipVersion"},
    {"IPv6 net", {.source = {.nets = {net("fd00::/64")}}}, k_web6, ""},
    {"IPv4 exception, IPv6 packet",
     {.source = {.not_nets = {net("10.0.0.0/8")}}},
     k_web6,
     "ipVersion"},
    {"nets of both families on two sides",
     {.source = {.nets = {net("10.0.0.0/8")}}, .destination = {.nets = {net("fd00::/64")}}},
     k_web,
     "nets"},
    {"net of another family than ipVersion",
     {.family = IPFamily::v6, .source = {.nets = {net("10.0.0.0/8")}}},
     k_web,
     "nets"},
};
INSTANTIATE_TEST_SUITE_P(Nets, RuleMatch, ::testing::ValuesIn(k_nets));

const MatchCase k_selectors[] = {
    {"source selector", source_selector("app == 'client'"), k_web, ""},
    {"source selector, the other family", source_selector("app == 'client'"), k_web6, ""},
    {"source selector of another pod", source_selector("app == 'server'"), k_web,
     "source.selector"},
    {"destination selector", destination_selector("app == 'server'"), k_web, ""},
    {"destination selector of another pod", destination_selector("app == 'client'"), k_web,
     "destination.selector"},
    {"label that a profile gives", source_selector("pcns.team == 'web'"), k_web, ""},
    {"network set", source_selector("zone == 'office'"), tcp("192.0.2.77", "10.65.0.2", 80), ""},
    {"outside the network set", source_selector("zone == 'office'"),
     tcp("192.0.3.0", "10.65.0.2", 80), "source.selector"},
    {"host endpoint", source_selector("role == 'gateway'"), tcp("198.51.100.1", "10.65.0.2", 80),
     ""},
    {"all() is every known address", source_selector("all()"), k_web, ""},
    {"all() is not an unknown address", source_selector("all()"),
     tcp("203.0.113.1", "10.65.0.2", 80), "source.selector"},
    {"notSelector of another pod", source_selectors(nullptr, "app == 'server'"), k_web, ""},
    {"notSelector", source_selectors(nullptr, "app == 'client'"), k_web, "source.notSelector"},
    {"notSelector and an unknown address", source_selectors(nullptr, "all()"),
     tcp("203.0.113.1", "10.65.0.2", 80), ""},
    {"selector and notSelector both hold", source_selectors("has(app)", "app == 'client'"), k_web,
     "source.notSelector"},
};
INSTANTIATE_TEST_SUITE_P(Selectors, RuleMatch, ::testing::ValuesIn(k_selectors));

const MatchCase k_ports[] = {
    {"port", to_ports({.ports = {{8080, 8080}}}), k_web, ""},
    {"port below a range", to_ports({.ports = {{8081, 8090}}}), k_web, "destination.ports"},
    {"first of a range", to_ports({.ports = {{8080, 8090}}}), k_web, ""},
    {"last of a range", to_ports({.ports = {{8000, 8080}}}), k_web, ""},
    {"port above a range", to_ports({.ports = {{8000, 8079}}}), k_web, "destination.ports"},
    {"any range", to_ports({.ports = {{1, 2}, {8080, 8080}}}), k_web, ""},
    {"source port", {.protocol = k_tcp, .source = {.ports = {{40000, 40000}}}}, k_web, ""},
    {"source port differs",
     {.protocol = k_tcp, .source = {.ports = {{8080, 8080}}}},
     k_web,
     "source.ports"},
    {"notPorts differ", to_ports({.not_ports = {{80, 80}}}), k_web, ""},
    {"notPorts", to_ports({.not_ports = {{8080, 8080}}}), k_web, "destination.notPorts"},
    {"named port", to_ports({.named_ports = {"http"}}), k_web, ""},
    {"named port, the other family", to_ports({.named_ports = {"http"}}), k_web6, ""},
    {"named port of another pod's number", to_ports({.named_ports = {"http"}}),
     tcp("10.65.0.1", "10.65.0.2", 9090), "destination.ports"},
    {"each pod has its own number", to_ports({.named_ports = {"http"}}),
     tcp("10.65.0.1", "10.65.0.3", 9090), ""},
    {"named port in another protocol", to_ports({.named_ports = {"dns"}}),
     tcp("10.65.0.1", "10.65.0.2", 53), "destination.ports"},
    {"named port in UDP",
     to_ports({.named_ports = {"dns"}}, k_udp),
     {ip("10.65.0.1"), ip("10.65.0.2"), k_udp, 1, 53},
     ""},
    {"named port in SCTP",
     to_ports({.named_ports = {"diameter"}}, k_sctp),
     {ip("10.65.0.1"), ip("10.65.0.2"), k_sctp, 1, 3868},
     ""},
    {"named port of a host endpoint", to_ports({.named_ports = {"admin"}}),
     tcp("10.65.0.1", "198.51.100.1", 22), ""},
    {"named port among those the selector chooses",
     to_ports({.selector = selector("app == 'server'"), .named_ports = {"http"}}), k_web, ""},
    {"named port outside what the selector chooses",
     to_ports({.selector = selector("app == 'other'"), .ports = {{1, 1}}, .named_ports = {"http"}}),
     k_web, "destination.selector"},
    {"number or name", to_ports({.ports = {{9090, 9090}}, .named_ports = {"http"}}), k_web, ""},
    {"no such name", to_ports({.named_ports = {"nobody"}}), k_web, "destination.ports"},
    {"not a named port", to_ports({.not_named_ports = {"http"}}), k_web, "destination.notPorts"},
    {"not another pod's named port", to_ports({.not_named_ports = {"http"}}),
     tcp("10.65.0.1", "10.65.0.2", 9090), ""},
    {"ports need a protocol", {.destination = {.ports = {{8080, 8080}}}}, k_web, "ports"},
    {"notPorts need a protocol", {.destination = {.not_ports = {{1, 1}}}}, k_web, "ports"},
    {"ports need one that has them", to_ports({.ports = {{0, 65535}}}, k_icmp), icmp(8, 0),
     "ports"},
};
INSTANTIATE_TEST_SUITE_P(Ports, RuleMatch, ::testing::ValuesIn(k_ports));

}  // namespace
}  // namespace margay::policy
