// BGPConfiguration, BGPPeer and KubeControllersConfiguration: what is accepted, defaulted and
// translated. The measure is Calico v3.19's validator (tests/peers).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "api/calico.h"
#include "api/table.h"
#include "api/validation_case.h"

namespace margay::api {
namespace {

using testing::ElementsAreArray;

const Kind& kind_of(const char* name) { return *find_kind("projectcalico.org/v3", name); }

void check(const char* kind, const std::vector<ValidationCase>& cases) {
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    EXPECT_THAT(errors_of(kind_of(kind), one.manifest), ElementsAreArray(one.errors));
  }
}

json::object prepared(const char* kind, const std::string& manifest) {
  auto made = prepare_manifest(kind_of(kind), manifest);
  EXPECT_TRUE(made) << made.error().message;
  return made ? std::move(made->object) : json::object();
}

const std::string k_community =
    "must be a community of two numbers up to 65535, such as 64512:100 (RFC 1997), or of three up "
    "to 4294967295 (RFC 8092)";
const std::string k_unknown_community =
    "must be a community or the name of one in spec.communities";

TEST(BGPValidation, Configuration) {
  const std::string only_default = "can only be set in the BGPConfiguration named default";
  check(
      "BGPConfiguration",
      {{"nothing", "", {}},
       {"everything",
        "spec: {logSeverityScreen: Info, nodeToNodeMeshEnabled: false, asNumber: '1.10', "
        "serviceLoadBalancerIPs: [{cidr: 10.1.0.0/16}], serviceExternalIPs: [{cidr: 192.0.2.1}], "
        "serviceClusterIPs: [{cidr: '2001:db8::/32'}, {}], communities: [{name: c, value: '1:2'}], "
        "prefixAdvertisements: [{cidr: 10.0.0.0/8, communities: [c, '65535:0', "
        "'4294967295:1:1']}], listenPort: 1790}",
        {}},
       {"an advertisement without communities",
        "spec: {prefixAdvertisements: [{cidr: 10.0.0.0/8, communities: []}]}",
        {}},
       {"communities that are none, or not known",
        "spec: {communities: [{name: a_b, value: '65536:1'}, {value: '1:2:3:4'}], "
        "prefixAdvertisements: [{cidr: 10.0.0.1/8, communities: [d, '1:4294967296:1']}]}",
        {"spec.communities[0].name: Invalid value: \"a_b\": must be a lowercase RFC 1123 "
         "subdomain: at most 253 lower case letters, digits, '-' or '.', each part starting and "
         "ending with a letter or digit",
         "spec.communities[0].value: Invalid value: \"65536:1\": " + k_community,
         "spec.communities[1].name: Required value",
         "spec.communities[1].value: Invalid value: \"1:2:3:4\": " + k_community,
         "spec.prefixAdvertisements[0].cidr: Invalid value: \"10.0.0.1/8\": has bits set after its "
         "length; its network is 10.0.0.0/8"}},
       {"advertised communities that are none",
        "spec: {communities: [{name: c, value: '1:2'}], prefixAdvertisements: [{cidr: 10.0.0.0/8, "
        "communities: [d, '1:4294967296:1']}]}",
        {"spec.prefixAdvertisements[0].communities[0]: Invalid value: \"d\": " +
             k_unknown_community,
         "spec.prefixAdvertisements[0].communities[1]: Invalid value: \"1:4294967296:1\": " +
             k_community}},
       {"communities that nobody uses",
        "spec: {communities: [{name: c, value: '1:2'}]}",
        {"spec.communities: Forbidden: no prefixAdvertisements uses them"}},
       {"an advertisement of nothing",
        "spec: {prefixAdvertisements: [{}]}",
        {"spec.prefixAdvertisements[0].cidr: Required value",
         "spec.prefixAdvertisements[0].communities: Required value"}},
       {"ports and AS numbers out of bounds",
        "spec: {listenPort: 65536, asNumber: 4294967296}",
        {"spec.asNumber: Invalid value: 4294967296: must be an AS number, 0 to 4294967295",
         "spec.listenPort: Invalid value: 65536: must be between 1 and 65535, inclusive"}},
       {"settings of one node",
        "{metadata: {name: node.a}, spec: {logSeverityScreen: Debug, listenPort: 180, "
        "serviceClusterIPs: []}}",
        {}},
       {"settings of the cluster for one node",
        "{metadata: {name: node.a}, spec: {nodeToNodeMeshEnabled: true, asNumber: 1, "
        "serviceLoadBalancerIPs: [{}], serviceExternalIPs: [{}], serviceClusterIPs: [{}]}}",
        {"spec.nodeToNodeMeshEnabled: Forbidden: " + only_default,
         "spec.asNumber: Forbidden: " + only_default,
         "spec.serviceLoadBalancerIPs: Forbidden: " + only_default,
         "spec.serviceExternalIPs: Forbidden: " + only_default,
         "spec.serviceClusterIPs: Forbidden: " + only_default}}});
}

TEST(BGPValidation, Peer) {
  const auto bad_address = [](const std::string& text) {
    return std::vector{"spec.peerIP: Invalid value: \"" + text +
                       "\": must be an address such as 192.0.2.1 or 2001:db8::1, or one with a "
                       "port: 192.0.2.1:179, [2001:db8::1]:179"};
  };
  check("BGPPeer",
        {{"every node, with nobody yet", "", {}},
         {"everything of a peer by address",
          "spec: {node: n-1, peerIP: '[2001:db8::1]:1790', asNumber: 64512, keepOriginalNextHop: "
          "true, password: {secretKeyRef: {name: s, key: k, optional: true}}, sourceAddress: "
          "None}",
          {}},
         {"nodes with nodes", "spec: {nodeSelector: has(a), peerSelector: has(b)}", {}},
         {"the AS number 0 says nothing", "spec: {asNumber: '0.0', peerSelector: has(b)}", {}},
         {"an address", "spec: {peerIP: '2001:db8::1'}", {}},
         {"an address with a port", "spec: {peerIP: '192.0.2.1:65535'}", {}},
         {"no port", "spec: {peerIP: '192.0.2.1:'}", bad_address("192.0.2.1:")},
         {"port 0", "spec: {peerIP: '192.0.2.1:0'}", bad_address("192.0.2.1:0")},
         {"a port too high", "spec: {peerIP: '192.0.2.1:65536'}", bad_address("192.0.2.1:65536")},
         {"brackets alone", "spec: {peerIP: '[2001:db8::1]'}", bad_address("[2001:db8::1]")},
         {"a name", "spec: {peerIP: router}", bad_address("router")},
         {"two ways to say the same",
          "spec: {node: n, nodeSelector: all(), peerIP: 192.0.2.1, asNumber: 1, peerSelector: "
          "all()}",
          {"spec.node: Forbidden: node and nodeSelector cannot both be set",
           "spec.peerIP: Forbidden: peerIP and peerSelector cannot both be set",
           "spec.asNumber: Forbidden: asNumber and peerSelector cannot both be set"}},
         {"values that are none",
          "spec: {nodeSelector: has(, asNumber: '1.70000', sourceAddress: none, password: "
          "{secretKeyRef: {name: s}}}",
          {"spec.nodeSelector: Invalid value: \"has(\": must be a selector: at position 5: "
           "expected a label key, has(), all(), ! or (, found the end",
           "spec.asNumber: Invalid value: \"1.70000\": must be an AS number such as 64512 or "
           "0.64512",
           "spec.password.secretKeyRef.key: Required value",
           "spec.sourceAddress: Unsupported value: \"none\": supported values: \"UseNodeIP\", "
           "\"None\""}}});
}

TEST(KubeControllersValidation, Configuration) {
  check("KubeControllersConfiguration",
        {{"nothing", "", {}},
         {"another name",
          "metadata: {name: other}",
          {"metadata.name: Invalid value: \"other\": must be \"default\""}},
         {"everything",
          "{spec: {logSeverityScreen: Warning, healthChecks: Enabled, etcdV3CompactionPeriod: 0s, "
          "prometheusMetricsPort: 0, controllers: {node: {reconcilerPeriod: 5m, syncLabels: "
          "Enabled, hostEndpoint: {autoCreate: Disabled}}, policy: {}, workloadEndpoint: "
          "{reconcilerPeriod: 1h}, serviceAccount: {}, namespace: {}}}, "
          "status: {runningConfig: {controllers: {}}, environmentVars: {LOG_LEVEL: info}}}",
          {}},
         {"values that are none",
          "{spec: {healthChecks: enabled, etcdV3CompactionPeriod: '', prometheusMetricsPort: "
          "65536, controllers: {node: {reconcilerPeriod: '5'}, extra: {}}}, status: "
          "{runningConfig: {prometheusMetricsPort: -1}}}",
          {"spec.healthChecks: Unsupported value: \"enabled\": supported values: \"Enabled\", "
           "\"Disabled\"",
           "spec.etcdV3CompactionPeriod: Invalid value: \"\": must be a duration such as 90s or "
           "1m30s",
           "spec.prometheusMetricsPort: Invalid value: 65536: must be between 0 and 65535, "
           "inclusive",
           "spec.controllers.node.reconcilerPeriod: Invalid value: \"5\": must be a duration such "
           "as 90s or 1m30s",
           "status.runningConfig.prometheusMetricsPort: Invalid value: -1: must be between 0 and "
           "65535, inclusive",
           "spec.controllers.extra: Unknown field"}}});
}

TEST(KubeControllersValidation, DefaultsAreThoseOfCalicosClient) {
  EXPECT_EQ(json::serialize(prepared("KubeControllersConfiguration", "").at("spec")),
            R"({"prometheusMetricsPort":9094,"controllers":{}})");
  EXPECT_EQ(
      json::serialize(
          prepared("KubeControllersConfiguration", "status: {runningConfig: {}}").at("status")),
      R"({"runningConfig":{"controllers":{}}})")
      << "what runs is not made up";
}

TEST(BGPCodec, AndControllersTranslateBothWays) {
  const auto round = [](const auto& decoded, const json::object& object) {
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(json::value(encode(*decoded)), json::value(object));
  };
  const auto configuration = prepared(
      "BGPConfiguration",
      "spec: {nodeToNodeMeshEnabled: false, asNumber: 64513, serviceClusterIPs: [{cidr: "
      "10.96.0.0/12}], communities: [{name: c, value: '1:2'}], prefixAdvertisements: [{cidr: "
      "10.0.0.0/8, communities: [c]}], listenPort: 1790}");
  const auto decoded = decode<BGPConfiguration>(configuration);
  round(decoded, configuration);
  EXPECT_EQ(decoded->spec.node_to_node_mesh_enabled, false);
  EXPECT_EQ(decoded->spec.prefix_advertisements.at(0).communities, std::vector<std::string>{"c"});

  const auto peer = prepared(
      "BGPPeer",
      "spec: {peerIP: 192.0.2.1, asNumber: 1, password: {secretKeyRef: {name: s, key: k}}}");
  round(decode<BGPPeer>(peer), peer);
  const auto controllers =
      prepared("KubeControllersConfiguration",
               "{spec: {controllers: {node: {hostEndpoint: {autoCreate: Enabled}}}}, status: "
               "{runningConfig: {controllers: {}}, environmentVars: {A: b}}}");
  round(decode<KubeControllersConfiguration>(controllers), controllers);
}

TEST(BGPTable, SaysWhoPeersWithWhom) {
  const base::Clock::Wall now{};
  const auto peer = prepared("BGPPeer", "spec: {node: n, peerIP: 192.0.2.1, asNumber: 64513}");
  EXPECT_EQ(json::serialize(table_cells(kind_of("BGPPeer"), peer, now)),
            R"(["default","192.0.2.1","n",64513,"<none>","<none>","<unknown>"])");
  const auto configuration = prepared("BGPConfiguration", "spec: {asNumber: '1.2'}");
  EXPECT_EQ(json::serialize(table_cells(kind_of("BGPConfiguration"), configuration, now)),
            R"(["default","<none>","<none>",65538,"<unknown>"])");
}

}  // namespace
}  // namespace margay::api
