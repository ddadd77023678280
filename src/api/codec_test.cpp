#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>
#include <cstdlib>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "api/calico.h"
#include "api/kubernetes.h"
#include "api/validation_case.h"

namespace margay::api {
namespace {

json::value parsed(const std::string& yaml) {
  const auto documents = parse_yaml(yaml);
  EXPECT_TRUE(documents) << documents.error().message;
  return documents && !documents->empty() ? documents->front() : json::value();
}

// ---- structs ----------------------------------------------------------------------------------

TEST(Decode, SaysWhichFieldHasTheWrongType) {
  const auto policy = decode<NetworkPolicy>(
      parsed("{metadata: {name: a}, spec: {ingress: [{action: Allow, source: {nets: [1]}}]}}"));
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().code, base::ErrorCode::invalid);
  EXPECT_EQ(policy.error().message,
            "spec.ingress[0].source.nets[0]: Invalid value: 1: must be a string");
}

TEST(Decode, LeavesUnknownFieldsToTheSchema) {
  const auto pod = decode<kubernetes::Pod>(
      parsed("{metadata: {name: a, zone: 1}, spec: {nodeName: n, more: {}}, extra: 1}"));
  ASSERT_TRUE(pod);
  EXPECT_EQ(pod->metadata.name, "a");
  EXPECT_EQ(pod->spec.node_name, "n");
}

TEST(Decode, FlatStructsOfNestedObjects) {
  const auto service = decode<kubernetes::Service>(parsed(R"(
    metadata: {name: web, namespace: a}
    spec:
      clusterIP: 10.96.0.1
      ports: [{port: 80, targetPort: http, protocol: TCP}]
      sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}
    status: {loadBalancer: {ingress: [{hostname: x}, {ip: 192.0.2.1}]}})"));
  ASSERT_TRUE(service) << service.error().message;
  EXPECT_EQ(service->cluster_ip, "10.96.0.1");
  EXPECT_EQ(service->ports.at(0).target_port, IntOrString("http"));
  EXPECT_EQ(service->session_affinity_timeout_seconds, 60);
  EXPECT_THAT(service->load_balancer_ips, testing::ElementsAre("192.0.2.1"));
}

TEST(Decode, AnEmptyEgressListDiffersFromNone) {
  const auto egress = [](const std::string& spec) {
    return decode<kubernetes::NetworkPolicy>(parsed("{metadata: {name: a}, spec: " + spec + "}"))
        ->egress;
  };
  EXPECT_FALSE(egress("{podSelector: {}}").has_value());
  ASSERT_TRUE(egress("{podSelector: {}, egress: []}").has_value());
  EXPECT_TRUE(egress("{podSelector: {}, egress: []}")->empty());
}

TEST(Decode, SettingsAreTheTextOfFelixEnvironment) {
  const auto felix = decode<FelixConfiguration>(parsed(R"(
    metadata: {name: default}
    spec:
      bpfEnabled: true
      routeRefreshInterval: 1m30s
      iptablesLockProbeInterval: 50ms
      iptablesMarkMask: 0xff000000
      routeTableRange: {min: 1, max: 99}
      failsafeInboundHostPorts: [{protocol: UDP, port: 68}, {net: 'fd00::/8', port: 22}]
      failsafeOutboundHostPorts: []
      kubeNodePortRanges: ['30000:32767', 80])"));
  ASSERT_TRUE(felix) << felix.error().message;
  const std::map<std::string, std::string> expected{
      {"bpfEnabled", "true"},
      {"routeRefreshInterval", "90"},
      {"iptablesLockProbeInterval", "50"},
      {"iptablesMarkMask", "4278190080"},
      {"routeTableRange", "1-99"},
      {"failsafeInboundHostPorts", "udp:68,tcp:[fd00::/8]:22"},
      {"failsafeOutboundHostPorts", "none"},
      {"kubeNodePortRanges", "30000:32767,80"}};
  EXPECT_EQ(felix->settings, expected);
  EXPECT_EQ(decode<FelixConfiguration>(encode(*felix))->settings, expected);
}

TEST(Decode, SettingsThatMakeNoSenseAreLeftToTheReader) {
  const auto felix = decode<FelixConfiguration>(parsed(
      "{metadata: {name: a}, spec: {failsafeInboundHostPorts: [22, x], routeTableRange: {min: 1}, "
      "routeRefreshInterval: soon}}"));
  ASSERT_TRUE(felix);
  const std::map<std::string, std::string> expected{{"failsafeInboundHostPorts", "22,x"},
                                                    {"routeTableRange", R"({"min":1})"},
                                                    {"routeRefreshInterval", "soon"}};
  EXPECT_EQ(felix->settings, expected);
}

TEST(Encode, BeginsWithTypeAndLeavesEmptyFieldsOut) {
  IPAMBlock block;
  block.metadata.name = "10-0-0-0-30";
  block.spec.cidr = "10.0.0.0/30";
  block.spec.affinity = "host:n1";
  block.spec.allocations = {std::nullopt, 0, std::nullopt, std::nullopt};
  block.spec.unallocated = {0, 2, 3};
  block.spec.attributes = {{.handle_id = "h", .secondary = {{"node", "n1"}}}};
  EXPECT_EQ(
      to_json(encode(block)),
      R"({"apiVersion":"crd.projectcalico.org/v1","kind":"IPAMBlock",)"
      R"("metadata":{"name":"10-0-0-0-30"},"spec":{"cidr":"10.0.0.0/30",)"
      R"("affinity":"host:n1","strictAffinity":false,"allocations":[null,0,null,null],)"
      R"("unallocated":[0,2,3],"attributes":[{"handle_id":"h","secondary":{"node":"n1"}}]}})");
  const auto read = decode<IPAMBlock>(encode(block));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->spec.allocations, block.spec.allocations);
  EXPECT_EQ(read->spec.attributes, block.spec.attributes);
}

RC_GTEST_PROP(Encode, APolicyIsReadBackAsItWas, ()) {
  const auto names = [] {
    return *rc::gen::container<std::vector<std::string>>(
        rc::gen::elementOf(std::vector<std::string>{"10.0.0.0/8", "has(a)", "x"}));
  };
  GlobalNetworkPolicy policy;
  policy.metadata.name = "p";
  policy.metadata.labels = {{"a", "b"}};
  if (*rc::gen::arbitrary<bool>()) policy.spec.order = *rc::gen::inRange(-100, 100) / 4.0;
  policy.spec.do_not_track = *rc::gen::arbitrary<bool>();
  policy.spec.types = names();
  for (int i = *rc::gen::inRange(0, 3); i > 0; --i) {
    Rule rule;
    rule.action = "Allow";
    if (*rc::gen::arbitrary<bool>()) rule.protocol = int64_t{6};
    if (*rc::gen::arbitrary<bool>()) rule.icmp = ICMPFields{.type = 0, .code = {}};
    if (*rc::gen::arbitrary<bool>())
      rule.source.service_accounts = ServiceAccountMatch{names(), ""};
    rule.destination.nets = names();
    rule.destination.ports = {int64_t{80}, std::string("1:2")};
    policy.spec.ingress.push_back(rule);
  }
  const auto read = decode<GlobalNetworkPolicy>(encode(policy));
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->metadata == policy.metadata);
  RC_ASSERT(read->spec == policy.spec);
}

}  // namespace
}  // namespace margay::api
