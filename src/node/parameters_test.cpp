#include "node/parameters.h"

#include <gtest/gtest.h>
#include <set>
#include <sstream>
#include <string>

#include <filesystem>
#include <fstream>

namespace margay::node {
namespace {

using namespace std::chrono_literals;

TEST(Parameters, StartAtTheDocumentedDefaults) {
  const auto resolved = resolve({});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->parameters, Parameters{});
  EXPECT_EQ(resolved->parameters.iptables_refresh_interval, 90s);
  EXPECT_EQ(resolved->parameters.iptables_mark_mask, 0xffff0000);
}

TEST(Parameters, TheStrongestSourceWins) {
  const auto resolved = resolve({{{"VXLANPORT", "1"}},
                                 {{"VXLANPort", "2"}, {"VXLANVNI", "2"}},
                                 {{"vxlanPort", "3"}, {"vxlanVNI", "3"}, {"vxlanMTU", "1400"}}});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->parameters.vxlan_port, 1);
  EXPECT_EQ(resolved->parameters.vxlan_vni, 2U);
  EXPECT_EQ(resolved->parameters.vxlan_mtu, 1400U);
  EXPECT_TRUE(resolved->warnings.empty());
}

TEST(Parameters, ReadsEveryType) {
  const auto resolved = resolve({{{"HealthEnabled", "yes"},
                                  {"IptablesMarkMask", "0xff000000"},
                                  {"InterfacePrefix", "cali, tap"},
                                  {"DefaultEndpointToHostAction", "accept"},
                                  {"RouteRefreshInterval", "1m30s"},
                                  {"IpsetsRefreshInterval", "500ms"},
                                  {"IptablesRefreshInterval", "45"},
                                  {"NATPortRange", "32768:65535"},
                                  {"NATOutgoingAddress", "192.0.2.1"},
                                  {"FailsafeInboundHostPorts", "none"},
                                  {"FailsafeOutboundHostPorts", "udp:53"},
                                  {"FloatingIPs", "Enabled"}}});
  ASSERT_TRUE(resolved);
  const Parameters& got = resolved->parameters;
  EXPECT_TRUE(got.health_enabled);
  EXPECT_EQ(got.iptables_mark_mask, 0xff000000);
  EXPECT_EQ(got.interface_prefixes, (std::vector<std::string>{"cali", "tap"}));
  // What the CNI plugins make is policed whatever is set.
  EXPECT_EQ(resolve({{{"InterfacePrefix", "eni"}}})->parameters.interface_prefixes,
            (std::vector<std::string>{"eni", "cali"}));
  EXPECT_EQ(resolve({{{"InterfacePrefix", "cal"}}})->parameters.interface_prefixes,
            (std::vector<std::string>{"cal"}));
  EXPECT_EQ(got.endpoint_to_host_action, EndpointToHostAction::accept);
  EXPECT_EQ(got.route_refresh_interval, 90s);
  EXPECT_EQ(got.ipsets_refresh_interval, 500ms);
  EXPECT_EQ(got.iptables_refresh_interval, 45s);
  EXPECT_EQ(got.nat_port_range, (PortSpan{32768, 65535}));
  EXPECT_EQ(got.nat_outgoing_address->to_string(), "192.0.2.1");
  EXPECT_TRUE(got.floating_ips);
  EXPECT_TRUE(got.failsafes.inbound.empty());
  EXPECT_EQ(got.failsafes.outbound, policy::parse_failsafes("udp:53").value());
}

TEST(Parameters, ABadValueFallsBackWithAWarningThatNamesIt) {
  for (const auto& [name, value] : Settings{{"HealthEnabled", "maybe"},
                                            {"VXLANPort", "70000"},
                                            {"RouteRefreshInterval", "soon"},
                                            {"NATPortRange", "9:1"},
                                            {"MTUIfacePattern", "eth("},
                                            {"LogPrefix", "x\n-A INPUT -j ACCEPT"},
                                            {"IptablesNATOutgoingInterfaceFilter", "eth0 -j X"},
                                            {"IptablesBackend", "ebpf"}}) {
    const auto resolved = resolve({{{name, value}}});
    ASSERT_TRUE(resolved) << name;
    EXPECT_EQ(resolved->parameters, Parameters{}) << name;
    ASSERT_EQ(resolved->warnings.size(), 1U) << name;
    EXPECT_TRUE(resolved->warnings[0].starts_with(name + ": \"" + value + "\"")) << name;
  }
}

TEST(Parameters, ATimeBeyondAllClocksIsABadValue) {
  for (const auto* value : {"inf", "infh", "1e300", "10000000000000", "9e12h", "nan", "300000h"}) {
    const auto resolved = resolve({{{"RouteRefreshInterval", value}}});
    ASSERT_TRUE(resolved) << value;
    EXPECT_EQ(resolved->parameters, Parameters{}) << value;
    EXPECT_EQ(resolved->warnings.size(), 1U) << value;
  }
  const auto years = resolve({{{"RouteRefreshInterval", "262800h"}}});
  ASSERT_TRUE(years);
  EXPECT_EQ(years->warnings.size(), 0U) << "30 of them";
}

TEST(Parameters, WhatMustNotBeGuessedIsAnError) {
  for (const auto& [name, value] : Settings{{"InterfacePrefix", "cali,,tap"},
                                            {"IptablesMarkMask", "0x4"},
                                            {"FailsafeInboundHostPorts", "tcp:22,icmp:1"},
                                            {"DefaultEndpointToHostAction", "maybe"}}) {
    EXPECT_FALSE(resolve({{{name, value}}})) << name;
  }
}

TEST(Parameters, AnUnknownNameIsSaidAloud) {
  const auto resolved = resolve({{{"NoSuchThing", "1"}}});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->warnings.size(), 1U);
}

TEST(Parameters, NoneIsTheZeroValueWhateverWeakerSourcesSay) {
  const auto resolved = resolve({{{"LogPrefix", "none"},
                                  {"NATPortRange", "None"},
                                  {"NATOutgoingAddress", " none "},
                                  {"RouteRefreshInterval", "none"},
                                  {"Ipv6Support", "NONE"},
                                  {"VXLANVNI", "none"},
                                  {"IptablesNATOutgoingInterfaceFilter", "none"},
                                  {"IptablesBackend", "none"}},
                                 {{"LogPrefix", "weaker"},
                                  {"NATPortRange", "1:2"},
                                  {"IptablesNATOutgoingInterfaceFilter", "eth0"}}});
  ASSERT_TRUE(resolved);
  const Parameters& got = resolved->parameters;
  EXPECT_EQ(got.log_prefix, "");
  EXPECT_EQ(got.nat_port_range, std::nullopt);
  EXPECT_EQ(got.nat_outgoing_address, std::nullopt);
  EXPECT_EQ(got.route_refresh_interval, 0s);
  EXPECT_FALSE(got.ipv6_support);
  EXPECT_EQ(got.vxlan_vni, 0U);
  EXPECT_EQ(got.nat_outgoing_interface_filter, "");
  EXPECT_EQ(got.iptables_backend, "");
  EXPECT_TRUE(resolved->warnings.empty());
}

TEST(Parameters, NoneIsRefusedWhereZeroIsNoValue) {
  for (const char* name : {"InterfacePrefix", "IptablesMarkMask", "DefaultEndpointToHostAction",
                           "IptablesFilterAllowAction", "FelixHostname"}) {
    const auto resolved = resolve({{{name, "none"}}});
    ASSERT_FALSE(resolved) << name;
    EXPECT_EQ(resolved.error().message, std::string(name) + ": \"none\": must not be none");
  }
  const auto port = resolve({{{"VXLANPort", "none"}}, {{"VXLANPort", "9"}}});
  ASSERT_TRUE(port) << "as every bad value of it";
  EXPECT_EQ(port->parameters.vxlan_port, 4789);
  EXPECT_EQ(port->warnings.size(), 1U);
}

TEST(Parameters, AnEmptyValueMeansTheDefault) {
  const auto resolved = resolve({{{"LogPrefix", ""}}, {{"LogPrefix", "weaker"}}});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->parameters.log_prefix, Parameters{}.log_prefix);
}

TEST(Settings, ComeFromTheEnvironmentAndFromAFile) {
  const char* environment[] = {"PATH=/bin", "FELIX_VXLANPORT=1", "FELIX_LOGPREFIX=a=b", nullptr};
  EXPECT_EQ(settings_from_environment(environment),
            (Settings{{"VXLANPORT", "1"}, {"LOGPREFIX", "a=b"}}));

  const auto path = std::filesystem::temp_directory_path() / "margay-parameters-test.cfg";
  std::ofstream(path) << "[global]\n# comment\n VXLANPort = 2 \n";
  EXPECT_EQ(settings_from_file(path), (Settings{{"VXLANPort", "2"}}));
  std::ofstream(path) << "VXLANPort 2\n";
  EXPECT_FALSE(settings_from_file(path));
  std::filesystem::remove(path);
  EXPECT_FALSE(settings_from_file(path));
}

// The guide's sentence "In effect in this version: A, B, ... . Others ...".
TEST(Parameters, InEffectAreThoseThatTheGuideNames) {
  std::ifstream file(MARGAY_GUIDE "/node.md");
  std::stringstream page;
  page << file.rdbuf();
  const std::string text = page.str();
  const std::string begin = "In effect in this version:";
  const size_t from = text.find(begin), to = text.find('.', from);
  ASSERT_NE(from, text.npos);
  std::set<std::string> named;
  std::stringstream list(text.substr(from + begin.size(), to - from - begin.size()));
  for (std::string name; list >> name;) {
    std::erase(name, ',');
    named.insert(name);
  }
  EXPECT_EQ(named, parameters_in_effect());
}

}  // namespace
}  // namespace margay::node
