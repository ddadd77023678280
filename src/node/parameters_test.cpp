#include "node/parameters.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "api/calico/configuration.h"
#include "node/absent_parameters.h"

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
  const auto resolved =
      resolve({{{"HealthEnabled", "yes"},
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
                {"FloatingIPs", "Enabled"},
                {"IptablesLockProbeIntervalMillis", "20"},
                {"IptablesPostWriteCheckIntervalSecs", "0.5"},
                {"InterfaceExclude", "kube-ipvs0, /^dummy/"},
                {"ExternalNodesCIDRList", "192.0.2.7, 198.51.100.0/24"},
                {"FeatureDetectOverride", "SNATFullyRandom=true, MASQFullyRandom=no"},
                {"ChainInsertMode", "Append"},
                {"RouteSource", "workloadips"},
                {"VXLANTunnelMACAddr", "02:00:00:00:00:01"},
                {"DatastoreType", "kubernetes"}}});
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
  EXPECT_EQ(got.iptables_lock_probe_interval, 20ms);
  EXPECT_EQ(got.iptables_post_write_check_interval, 500ms);
  EXPECT_EQ(got.interface_exclude, (std::vector<std::string>{"^kube-ipvs0$", "^dummy"}));
  EXPECT_EQ(got.external_nodes,
            (std::vector<base::Prefix>{*base::Prefix::parse("192.0.2.7/32"),
                                       *base::Prefix::parse("198.51.100.0/24")}));
  EXPECT_EQ(got.feature_overrides,
            (std::map<std::string, bool>{{"SNATFullyRandom", true}, {"MASQFullyRandom", false}}));
  EXPECT_EQ(got.chain_insert_mode, ChainInsertMode::append);
  EXPECT_EQ(got.route_source, RouteSource::workload_ips);
  EXPECT_EQ(got.vxlan_tunnel_mac->to_string(), "02:00:00:00:00:01");
  EXPECT_TRUE(resolved->warnings.empty());
}

TEST(Parameters, ABadValueFallsBackWithAWarningThatNamesIt) {
  for (const auto& [name, value] : Settings{{"HealthEnabled", "maybe"},
                                            {"VXLANPort", "70000"},
                                            {"RouteRefreshInterval", "soon"},
                                            {"NATPortRange", "9:1"},
                                            {"MTUIfacePattern", "eth("},
                                            {"LogPrefix", "x\n-A INPUT -j ACCEPT"},
                                            {"IptablesNATOutgoingInterfaceFilter", "eth0 -j X"},
                                            {"InterfaceExclude", "/eth(/"},
                                            {"FeatureDetectOverride", "SNATFullyRandom"},
                                            {"DeviceRouteSourceAddress", "fd00::1"},
                                            {"VXLANTunnelMACAddr", "01:00:00:00:00:01"},
                                            {"MaxIpsetSize", "0"},
                                            {"RouteSource", "BGP"},
                                            {"LogSeveritySys", "LOUD"},
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
                                            {"ChainInsertMode", "replace"},
                                            {"IptablesMangleAllowAction", "DROP"},
                                            {"ExternalNodesCIDRList", "10.0.0.0/8,fd00::/8"},
                                            {"DatastoreType", "etcdv3"},
                                            {"EtcdEndpoints", "https://192.0.2.1:2379"},
                                            {"EtcdAddr", "192.0.2.1:2379"},
                                            {"DefaultEndpointToHostAction", "maybe"}}) {
    EXPECT_FALSE(resolve({{{name, value}}})) << name;
  }
}

TEST(Parameters, AnUnknownNameIsSaidAloud) {
  const auto resolved = resolve({{{"NoSuchThing", "1"}}});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->warnings.size(), 1U);
}

TEST(Parameters, WhatHasNoEffectIsSaidByNameWithTheReason) {
  const auto warnings = [](const Settings& settings) { return resolve({settings})->warnings; };
  using Warnings = std::vector<std::string>;
  EXPECT_EQ(
      warnings({{"wireguardEnabled", "true"}}),
      Warnings{"WireguardEnabled: \"true\" has no effect: there is no WireGuard in this version"});
  EXPECT_EQ(warnings({{"FeatureDetectOverride", "ChecksumOffloadBroken=true"}}),
            Warnings{"FeatureDetectOverride: ChecksumOffloadBroken is nothing that this agent "
                     "detects"});
  EXPECT_EQ(resolve({{{"BPFEnabled", "false"}}, {{"bpfEnabled", "true"}}})->warnings, Warnings{})
      << "the weaker says nothing";
}

TEST(Parameters, EveryFieldOfFelixConfigurationIsOne) {
  const std::shared_ptr<const api::Schema> spec = api::calico::felix_spec().schema();
  for (const auto& field : spec->fields)
    for (const auto& warning : resolve({{{field.name, "none"}}}).value_or(Resolved{}).warnings)
      EXPECT_EQ(warning.find("no such setting"), warning.npos) << warning;
  const auto resolved =
      resolve({{{"iptablesLockTimeout", "7"}, {"externalNodesList", "10.0.0.0/8"}}});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->parameters.iptables_lock_timeout, 7s);
  EXPECT_EQ(resolved->parameters.external_nodes.size(), 1U);
}

TEST(Parameters, WhatIsSoAnyhowIsNoReasonForAWarning) {
  EXPECT_TRUE(resolve({{{"BPFENABLED", "No"},
                        {"UsageReportingEnabled", "false"},
                        {"WireguardMTU", "0"},
                        {"IpInIpEnabled", "none"},
                        {"Variant", "Calico"},
                        {"UseInternalDataplaneDriver", "true"}}})
                  ->warnings.empty());
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

TEST(Parameters, NoPreventionOfServiceLoopsIsAsDisabled) {
  const auto resolved = resolve({{{"ServiceLoopPrevention", "none"}}});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->parameters.service_loop_prevention, ServiceLoopPrevention::disabled);
  EXPECT_TRUE(resolved->warnings.empty());
}

TEST(Parameters, NoneIsRefusedWhereZeroIsNoValue) {
  for (const char* name : {"InterfacePrefix", "IptablesMarkMask", "DefaultEndpointToHostAction",
                           "IptablesFilterAllowAction", "FelixHostname", "MaxIpsetSize",
                           "ChainInsertMode", "DatastoreType"}) {
    const auto resolved = resolve({{{name, "none"}}});
    ASSERT_FALSE(resolved) << name;
    EXPECT_EQ(resolved.error().message, std::string(name) + ": \"none\": must not be none");
  }
  const auto port = resolve({{{"VXLANPort", "none"}}, {{"VXLANPort", "9"}}});
  ASSERT_TRUE(port) << "as every bad value of it";
  EXPECT_EQ(port->parameters.vxlan_port, 4789);
  EXPECT_EQ(port->warnings.size(), 1U);
}

TEST(Parameters, AnEmptyValueIsAsNoneAtAll) {
  const auto resolved = resolve({{{"LogPrefix", ""}}, {{"LogPrefix", "weaker"}}});
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->parameters.log_prefix, "weaker");
  EXPECT_EQ(resolve({{{"LogPrefix", ""}, {"BPFEnabled", ""}}})->parameters, Parameters{});
}

TEST(Settings, ComeFromTheEnvironmentAndFromAFile) {
  const char* environment[] = {"PATH=/bin", "FELIX_VXLANPORT=1", "FELIX_LOGPREFIX=a=b",
                               "felix_InterfacePrefix=tap", nullptr};
  EXPECT_EQ(settings_from_environment(environment),
            (Settings{{"VXLANPORT", "1"}, {"LOGPREFIX", "a=b"}, {"InterfacePrefix", "tap"}}));

  const auto path = std::filesystem::temp_directory_path() / "margay-parameters-test.cfg";
  std::ofstream(path) << "[global]\n# comment\n VXLANPort = 2 \n";
  EXPECT_EQ(settings_from_file(path), (Settings{{"VXLANPort", "2"}}));
  std::ofstream(path) << "VXLANPort 2\n";
  EXPECT_FALSE(settings_from_file(path));
  std::filesystem::remove(path);
  EXPECT_FALSE(settings_from_file(path));
}

// What a row of the reference's table says of a parameter: "yes", or why it has no effect.
std::map<std::string, std::string> documented() {
  std::ifstream page(MARGAY_DOCS "/reference/felix-parameters.md");
  std::map<std::string, std::string> rows;
  for (std::string line; std::getline(page, line);) {
    static const RE2 k_row(R"(\| (\w+) \| .* \| (yes|warns) \| (.+) \|)");
    std::string name, state, what;
    if (RE2::FullMatch(line, k_row, &name, &state, &what))
      rows.emplace(name, state == "yes" ? state : what);
  }
  return rows;
}

TEST(Parameters, AreThoseOfTheReference) {
  auto known = absent_parameters();
  for (const auto& name : parameters_in_effect())
    EXPECT_TRUE(known.emplace(name, "yes").second) << name << " is there and is not";
  EXPECT_EQ(documented(), known);
  EXPECT_EQ(known.size(), 123U + 1U) << "Felix v3.19's, and FloatingIPs";
}

}  // namespace
}  // namespace margay::node
