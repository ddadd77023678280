// What prepare() fills in and rewrites, and what may not change afterwards.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "api/validation_case.h"

namespace margay::api {
namespace {

// `spec` after preparation, for a `spec` as written.
json::value prepared_spec(const char* api_version, const char* kind, const std::string& spec) {
  auto prepared = prepare_manifest(*find_kind(api_version, kind), "spec: " + spec);
  EXPECT_TRUE(prepared) << prepared.error().message;
  return prepared ? prepared->object.at("spec") : json::value();
}

TEST(Defaults, PolicyTypesFollowFromTheRules) {
  const auto types = [](const std::string& spec) {
    return json::serialize(
        prepared_spec("projectcalico.org/v3", "NetworkPolicy", spec).at("types"));
  };
  EXPECT_EQ(types("{}"), R"(["Ingress"])");
  EXPECT_EQ(types("{ingress: [{action: Deny}]}"), R"(["Ingress"])");
  EXPECT_EQ(types("{egress: [{action: Deny}]}"), R"(["Egress"])");
  EXPECT_EQ(types("{ingress: [{action: Deny}], egress: [{action: Deny}]}"),
            R"(["Ingress","Egress"])");
  EXPECT_EQ(types("{types: [Egress], ingress: [{action: Deny}]}"), R"(["Egress"])");
}

TEST(Defaults, PolicySelectsAll) {
  EXPECT_EQ(prepared_spec("projectcalico.org/v3", "NetworkPolicy", "{selector: ''}").at("selector"),
            "all()");
}

TEST(Defaults, KubernetesPolicy) {
  const auto spec = [](const std::string& text) {
    return prepared_spec("networking.k8s.io/v1", "NetworkPolicy", text);
  };
  EXPECT_EQ(spec("{podSelector: {}}").at("policyTypes"), json::parse(R"(["Ingress"])"));
  EXPECT_EQ(spec("{podSelector: {}, egress: []}").at("policyTypes"), json::parse(R"(["Ingress"])"));
  EXPECT_EQ(spec("{podSelector: {}, egress: [{}]}").at("policyTypes"),
            json::parse(R"(["Ingress", "Egress"])"));
  EXPECT_EQ(spec("{podSelector: {}, ingress: [{ports: [{}]}]}").at("ingress"),
            json::parse(R"([{"ports": [{"protocol": "TCP"}]}])"));
}

TEST(Defaults, PoolIsCanonical) {
  EXPECT_EQ(prepared_spec("projectcalico.org/v3", "IPPool", "{cidr: 10.1.2.3/16}"),
            json::parse(R"~({"cidr": "10.1.0.0/16", "ipipMode": "Never", "vxlanMode": "Never",
                            "blockSize": 26, "nodeSelector": "all()"})~"));
  EXPECT_EQ(prepared_spec("projectcalico.org/v3", "IPPool",
                          "{cidr: '2001:0DB8:0000:0000:0000:0000:0000:0001/64'}"),
            json::parse(R"~({"cidr": "2001:db8::/64", "ipipMode": "Never", "vxlanMode": "Never",
                            "blockSize": 122, "nodeSelector": "all()"})~"));
}

TEST(Defaults, NumbersWrittenAsTextAreNumbers) {
  const auto rule = prepared_spec("projectcalico.org/v3", "NetworkPolicy",
                                  "{ingress: [{action: Allow, protocol: '6', "
                                  "destination: {ports: ['80', '81:81', '82:83']}}]}")
                        .at("ingress")
                        .at(0);
  EXPECT_EQ(rule.at("protocol"), 6);
  EXPECT_EQ(rule.at("destination").at("ports"), json::parse(R"([80, 81, "82:83"])"));
}

TEST(Defaults, Pod) {
  auto prepared = prepare_manifest(
      *find_kind("v1", "Pod"),
      "{metadata: {name: p, creationTimestamp: null}, spec: {containers: [{name: c, image: "
      "'nginx:1.21', ports: [{containerPort: 80}]}]}, status: {podIP: 10.0.0.1}}");
  ASSERT_TRUE(prepared) << prepared.error().message;
  const auto& pod = prepared->object;
  EXPECT_EQ(pod.at("metadata"), json::parse(R"({"name": "p", "namespace": "default"})"));
  const auto& spec = pod.at("spec");
  EXPECT_EQ(spec.at("restartPolicy"), "Always");
  EXPECT_EQ(spec.at("dnsPolicy"), "ClusterFirst");
  EXPECT_EQ(spec.at("serviceAccountName"), "default");
  EXPECT_EQ(spec.at("terminationGracePeriodSeconds"), 30);
  EXPECT_EQ(spec.at("containers").at(0).at("imagePullPolicy"), "IfNotPresent");
  EXPECT_EQ(spec.at("containers").at(0).at("ports").at(0).at("protocol"), "TCP");
  EXPECT_EQ(pod.at("status"), json::parse(R"({"podIP": "10.0.0.1", "phase": "Pending",
                                              "podIPs": [{"ip": "10.0.0.1"}]})"));
}

TEST(Defaults, Service) {
  EXPECT_EQ(prepared_spec("v1", "Service", "{ports: [{port: 80}], type: NodePort}"),
            json::parse(R"({"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
                            "type": "NodePort", "sessionAffinity": "None",
                            "internalTrafficPolicy": "Cluster",
                            "externalTrafficPolicy": "Cluster"})"));
}

TEST(Defaults, TargetPortsThatTypedClientsCannotLeaveOut) {
  const auto target = [](const std::string& text) {
    return prepared_spec("v1", "Service", "{ports: [{port: 80, targetPort: " + text + "}]}")
        .at("ports")
        .at(0)
        .at("targetPort");
  };
  EXPECT_EQ(target("0"), 80);
  EXPECT_EQ(target("''"), 80);
  EXPECT_EQ(target("null"), 80);
  EXPECT_EQ(target("8080"), 8080);
  EXPECT_EQ(target("http"), "http");
}

TEST(Defaults, NullsAreNoValues) {
  const auto prepared =
      prepare_manifest(*find_kind("v1", "Namespace"),
                       "{metadata: {name: a, labels: {b: null, c: d}, annotations: {e: null}}}");
  ASSERT_TRUE(prepared) << prepared.error().message;
  EXPECT_EQ(prepared->object.at("metadata"), json::parse(R"({"name": "a", "annotations": {},
                            "labels": {"c": "d", "kubernetes.io/metadata.name": "a"}})"));
}

TEST(Defaults, ALabelThatIsWantedIsNotDroppedForItsMissingValue) {
  EXPECT_EQ(prepared_spec("networking.k8s.io/v1", "NetworkPolicy",
                          "{podSelector: {matchLabels: {app: , tier: web}}}")
                .at("podSelector"),
            json::parse(R"({"matchLabels": {"app": "", "tier": "web"}})"));
  EXPECT_EQ(
      prepared_spec("v1", "Service", "{selector: {app: null}, ports: [{port: 80}]}").at("selector"),
      json::parse(R"({"app": ""})"));
}

TEST(Defaults, NamespaceIsLabelledWithItsName) {
  auto prepared = prepare_manifest(*find_kind("v1", "Namespace"), "metadata: {name: a}");
  ASSERT_TRUE(prepared);
  EXPECT_EQ(prepared->object.at("metadata").at("labels"),
            json::parse(R"({"kubernetes.io/metadata.name": "a"})"));
  EXPECT_EQ(prepared->object.at("status").at("phase"), "Active");
}

TEST(Defaults, SecretTakesText) {
  auto prepared =
      prepare_manifest(*find_kind("v1", "Secret"), "stringData: {a: '', b: hello, c: fo}");
  ASSERT_TRUE(prepared) << prepared.error().message;
  EXPECT_EQ(prepared->object.at("data"), json::parse(R"({"a": "", "b": "aGVsbG8=", "c": "Zm8="})"));
  EXPECT_FALSE(prepared->object.contains("stringData"));
  EXPECT_EQ(prepared->object.at("type"), "Opaque");
}

// prepare() of what prepare() gave changes nothing: stored objects are fixed points.
TEST(Defaults, PreparedObjectsStayAsTheyAre) {
  const std::vector<std::tuple<const char*, const char*, const char*>> cases{
      {"projectcalico.org/v3", "GlobalNetworkPolicy", "{egress: [{action: Allow, protocol: '6'}]}"},
      {"projectcalico.org/v3", "IPPool", "{cidr: 10.0.0.1/8}"},
      {"projectcalico.org/v3", "FelixConfiguration",
       "{bpfLogLevel: Debug, chainInsertMode: append}"},
      {"v1", "Pod",
       "{containers: [{name: c, image: a, ports: [{containerPort: 1}]}], hostNetwork: true}"},
      {"v1", "Service", "{ports: [{port: 80}], clusterIPs: [10.0.0.1], sessionAffinity: ClientIP}"},
      {"networking.k8s.io/v1", "NetworkPolicy", "{podSelector: {}, egress: [{}]}"}};
  for (const auto& [api_version, kind_name, spec] : cases) {
    SCOPED_TRACE(kind_name);
    const Kind& kind = *find_kind(api_version, kind_name);
    const auto once = prepare_manifest(kind, std::string("spec: ") + spec);
    ASSERT_TRUE(once) << once.error().message;
    const auto twice = prepare(kind, once->object, UnknownFields::refuse);
    ASSERT_TRUE(twice) << twice.error().message;
    EXPECT_EQ(once->object, twice->object);
  }
}

// ---- updates ----------------------------------------------------------------------------------

std::string update_error(const char* api_version, const char* kind_name, const std::string& before,
                         const std::string& after) {
  const Kind& kind = *find_kind(api_version, kind_name);
  const auto old_object = prepare_manifest(kind, before);
  const auto new_object = prepare_manifest(kind, after);
  if (!old_object || !new_object) return "not prepared";
  const auto checked = check_update(kind, old_object->object, new_object->object);
  return checked ? "" : checked.error().message;
}

TEST(Updates, PoolKeepsItsNetworkAndBlocks) {
  const auto update = [](const char* after) {
    return update_error("projectcalico.org/v3", "IPPool", "spec: {cidr: 10.0.0.0/16}", after);
  };
  EXPECT_EQ(update("spec: {cidr: 10.0.1.0/16, disabled: true}"), "");
  EXPECT_EQ(update("spec: {cidr: 10.1.0.0/16}"),
            "spec.cidr: Invalid value: \"10.1.0.0/16\": field is immutable");
  EXPECT_EQ(update("spec: {cidr: 10.0.0.0/16, blockSize: 27}"),
            "spec.blockSize: Invalid value: 27: field is immutable");
}

TEST(Updates, PodIsScheduledOnce) {
  const auto pod = [](const std::string& fields, const std::string& image = "a") {
    return "spec: {containers: [{name: c, image: '" + image + "'}]" + fields + "}";
  };
  const auto update = [&](const std::string& before, const std::string& after) {
    return update_error("v1", "Pod", before, after);
  };
  EXPECT_EQ(update(pod(""), pod(", nodeName: n1")), "");
  EXPECT_EQ(update(pod(""), pod("", "b:2")), "");
  EXPECT_THAT(update(pod(", nodeName: n1"), pod(", nodeName: n2")),
              testing::StartsWith("spec: Forbidden: pod updates may not change fields other than"));
  EXPECT_THAT(update(pod(""), pod(", hostNetwork: true")), testing::StartsWith("spec: Forbidden"));
}

TEST(Updates, ImmutableConfigMap) {
  EXPECT_EQ(update_error("v1", "ConfigMap", "{data: {a: b}, immutable: true}",
                         "{data: {a: c}, immutable: true}"),
            "data: Forbidden: field is immutable when `immutable` is set");
  EXPECT_EQ(update_error("v1", "ConfigMap", "{data: {a: b}}", "{data: {a: c}, immutable: true}"),
            "");
}

}  // namespace
}  // namespace margay::api
