#include "vector/control/configuration.h"

#include <gmock/gmock.h>

namespace margay::vector {
namespace {

using ::testing::HasSubstr;

std::string message_of(const std::string& text) {
  const auto read = parse_configuration(text);
  return read ? "no error" : read.error().message;
}

TEST(Configuration, HasDefaults) {
  const auto read = parse_configuration(R"(
interfaces: [{name: a, device: net_null0}]
services: [{name: s, frontends: [{address: 10.0.0.1, port: 80}], backends: [{address: "10.0.0.2", port: 1}]}]
policies: [{name: p, ingress: []}]
)");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->interfaces[0].mtu, 1500);
  EXPECT_FALSE(read->interfaces[0].is_workload);
  EXPECT_FALSE(read->interfaces[0].mac);
  const auto& service = read->services.at("s");
  EXPECT_EQ(service.frontends[0].protocol, 6);
  EXPECT_FALSE(service.frontends[0].restricted);
  EXPECT_TRUE(service.backends[0].ready);
  EXPECT_TRUE(read->policies.at("p").has_ingress);
  EXPECT_FALSE(read->policies.at("p").has_egress);
}

TEST(Configuration, RulesMeanWhatTheySay) {
  const auto read = parse_configuration(R"(
policies:
- name: p
  egress:
  - {action: Deny, protocol: tcp, source: {nets: [10.0.0.0/8], ports: [80, "90:99"]}, destination: {notNets: [10.1.0.0/16]}}
)");
  ASSERT_TRUE(read) << read.error().message;
  const auto& rule = read->policies.at("p").rules->egress.at(0);
  EXPECT_EQ(rule.action, policy::Action::deny);
  EXPECT_EQ(rule.protocol, 6);
  EXPECT_EQ(rule.family, policy::IPFamily::v4);
  EXPECT_EQ(rule.source.nets, std::vector{*base::Prefix::parse("10.0.0.0/8")});
  EXPECT_EQ(rule.source.ports, (std::vector<policy::PortRange>{{80, 80}, {90, 99}}));
  EXPECT_EQ(rule.destination.not_nets, std::vector{*base::Prefix::parse("10.1.0.0/16")});
}

TEST(Configuration, WithSourceRangesAServiceIsRestricted) {
  const auto read = parse_configuration(R"(
services: [{name: s, frontends: [{address: 10.0.0.1, port: 80}], sourceRanges: [192.0.2.0/24]}]
)");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->services.at("s").frontends[0].restricted);
}

TEST(Configuration, EveryMistakeIsToldWithItsField) {
  const struct {
    const char* text;
    const char* message;
  } k_cases[] = {
      {"[]", "must be an object"},
      {"a: 1\n---\nb: 2", "must be one YAML document"},
      {"colour: red", "colour"},
      {"interfaces: {}", "interfaces: Invalid value: {}: must be a list"},
      {"interfaces: [{device: net_null0}]", "interfaces[0].name: Required value"},
      {"interfaces: [{name: a, device: eth0}]", "interfaces[0].device"},
      {"interfaces: [{name: a, device: net_null0, mtu: 1901}]", "interfaces[0].mtu"},
      {"interfaces: [{name: a, device: net_null0, mac: x}]", "interfaces[0].mac"},
      {"interfaces: [{name: a, device: net_null0, mac: '01:00:00:00:00:00'}]", "multicast"},
      {"interfaces: [{name: a, device: net_null0, workload: 1}]", "must be true or false"},
      {"routes: [{destination: 10.0.0.1/8, local: true}]", "routes[0].destination"},
      {"routes: [{destination: 10.0.0.0/8, local: true, unreachable: true}]", "must have one of"},
      {"routes: [{destination: 10.0.0.0/8, via: {interface: a}}]", "routes[0].via.mac"},
      {"routes: [{destination: 10.0.0.0/8, via: {interface: a, mac: '02:00:00:00:00:01'}}]",
       "must be one of the interfaces"},
      {"routes: [{destination: 1.0.0.0/8, local: true}, {destination: 1.0.0.0/8, local: true}]",
       "routes[1].destination: Duplicate value"},
      {"nodeAddresses: [10.0.0.1, 10.0.0.2]", "one of each family"},
      {"nodeAddresses: [x]", "nodeAddresses[0]"},
      {"workloads: [{name: a, interface: b, mac: '02:00:00:00:00:01'}]", "workload: true"},
      {"policies: [{name: a, ingress: [{action: Maybe}]}]", "policies[0].ingress[0].action"},
      {"policies: [{name: a, ingress: [{}]}]", "policies[0].ingress[0].action: Required value"},
      {"policies: [{name: a, ingress: [{action: Deny, protocol: QUIC}]}]", "protocol"},
      {"policies: [{name: a, ingress: [{action: Deny, protocol: 256}]}]", "protocol"},
      {"policies: [{name: a, ingress: [{action: Deny, source: {nets: [10.0.0.1/8]}}]}]",
       "policies[0].ingress[0].source.nets[0]"},
      {"policies: [{name: a, ingress: [{action: Deny, protocol: TCP, source: {ports: [9:8]}}]}]",
       "policies[0].ingress[0].source.ports[0]"},
      {"policies: [{name: a, ingress: [{action: Deny, source: {ports: [80]}}]}]",
       "ports need a protocol"},
      {"policies: [{name: a, ingress: [{action: Deny, source: {nets: [10.0.0.0/8, 'fd00::/8']}}]}]",
       "both families"},
      {"policies: [{name: a}, {name: a}]", "policies[1].name: Duplicate value"},
      {"services: [{name: s, frontends: [{address: 10.0.0.1}]}]", "frontends[0].port: Required"},
      {"services: [{name: s, frontends: [{address: 10.0.0.1, port: 80, protocol: ICMP}]}]",
       "must be TCP, UDP or SCTP"},
      {"services: [{name: s, backends: [{address: 10.0.0.1, port: 70000}]}]", "backends[0].port"},
      {"services: [{name: s, frontends: [{address: 10.0.0.1, port: 80}]},"
       " {name: t, frontends: [{address: 10.0.0.1, port: 80}]}]",
       "must not be another's"},
      {"services: [{name: s, frontends: [{address: 10.0.0.1, port: 80}]}]\n"
       "nodeAddresses: [10.0.0.1]",
       "must not be there twice"},
  };
  for (const auto& [text, message] : k_cases)
    EXPECT_THAT(message_of(text), HasSubstr(message)) << text;
}

TEST(Configuration, TwoMistakesAreBothTold) {
  const auto message = message_of("interfaces: [{name: a}]\nnodeAddresses: [x]");
  EXPECT_THAT(message, HasSubstr("interfaces[0].device"));
  EXPECT_THAT(message, HasSubstr("nodeAddresses[0]"));
}

}  // namespace
}  // namespace margay::vector
