// What Kubernetes' own kinds accept, and the errors for what they do not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/validation_case.h"

namespace margay::api {
namespace {

using testing::ElementsAreArray;

void check(const char* api_version, const char* kind_name,
           const std::vector<ValidationCase>& cases) {
  const Kind* kind = find_kind(api_version, kind_name);
  ASSERT_NE(kind, nullptr);
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    EXPECT_THAT(errors_of(*kind, one.manifest), ElementsAreArray(one.errors));
  }
}

TEST(KubernetesValidation, NetworkPolicy) {
  const auto peers = [](const std::string& peer) {
    return "spec: {podSelector: {}, ingress: [{from: [" + peer + "]}]}";
  };
  const auto ports = [](const std::string& port) {
    return "spec: {podSelector: {}, ingress: [{ports: [" + port + "]}]}";
  };
  const std::string from = "spec.ingress[0].from[0]";
  const std::string port = "spec.ingress[0].ports[0]";
  check(
      "networking.k8s.io/v1", "NetworkPolicy",
      {{"deny all", "spec: {podSelector: {}}", {}},
       {"a block with an exception",
        peers("{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}"),
        {}},
       {"an exception outside of its block",
        peers("{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16, 10.0.0.0/8]}}"),
        {from + ".ipBlock.except[0]: Invalid value: \"11.0.0.0/16\": must be a strict subset of "
                "cidr",
         from + ".ipBlock.except[1]: Invalid value: \"10.0.0.0/8\": must be a strict subset of "
                "cidr"}},
       {"a block and a selector",
        peers("{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}"),
        {from + ".ipBlock: Forbidden: may not be specified with another peer"}},
       {"an empty peer",
        peers("{}"),
        {from + ": Required value: must specify a peer: podSelector, namespaceSelector or "
                "ipBlock"}},
       {"a range", ports("{port: 80, endPort: 90}"), {}},
       {"a range upside down",
        ports("{port: 80, endPort: 79}"),
        {port + ".endPort: Invalid value: 79: must be greater than or equal to port"}},
       {"a range from a name",
        ports("{port: http, endPort: 90}"),
        {port + ".endPort: Invalid value: 90: may not be specified when port is a name"}},
       {"a range from nowhere",
        ports("{endPort: 90}"),
        {port + ".endPort: Invalid value: 90: may not be specified when port is not"}},
       {"a protocol without ports",
        ports("{protocol: ICMP}"),
        {port + ".protocol: Unsupported value: \"ICMP\": supported values: \"TCP\", \"UDP\", "
                "\"SCTP\""}},
       {"a protocol that is empty",
        ports("{protocol: '', port: 80}"),
        {port + ".protocol: Unsupported value: \"\": supported values: \"TCP\", \"UDP\", "
                "\"SCTP\""}},
       {"a port that is empty",
        ports("{port: ''}"),
        {port + ".port: Invalid value: \"\": must be a port name (RFC 6335): at most 15 lower case "
                "letters, digits or single '-', with at least one letter, starting and ending with "
                "a letter or digit"}},
       {"operators",
        "spec: {podSelector: {matchExpressions: [{key: a, operator: In}, "
        "{key: b, operator: Exists, values: [c]}, {key: d, operator: Near}]}}",
        {"spec.podSelector.matchExpressions[0].values: Required value: must be given when "
         "operator is In or NotIn",
         "spec.podSelector.matchExpressions[1].values: Forbidden: may not be given when operator "
         "is Exists or DoesNotExist",
         "spec.podSelector.matchExpressions[2].operator: Unsupported value: \"Near\": supported "
         "values: \"In\", \"NotIn\", \"Exists\", \"DoesNotExist\""}}});
}

TEST(KubernetesValidation, Pod) {
  const auto container = [](const std::string& fields) {
    return "spec: {containers: [{name: c, image: nginx" + fields + "}]}";
  };
  const std::string c = "spec.containers[0]";
  check("v1", "Pod",
        {{"the least", container(""), {}},
         {"deep parts",
          container(", livenessProbe: {httpGet: {path: /, port: 80}}, resources: {limits: {cpu: "
                    "100m, memory: 128Mi}}, securityContext: {privileged: true}"),
          {}},
         {"no containers",
          "spec: {containers: []}",
          {"spec.containers: Required value: a pod needs a container"}},
         {"a container without name and image",
          "spec: {containers: [{ports: []}]}",
          {c + ".name: Required value", c + ".image: Required value"}},
         {"two of one name",
          "spec: {containers: [{name: c, image: a}, {name: c, image: b}]}",
          {"spec.containers[1].name: Duplicate value: \"c\""}},
         {"a port out of bounds",
          container(", ports: [{containerPort: 0}]"),
          {c + ".ports[0].containerPort: Invalid value: 0: must be between 1 and 65535, "
               "inclusive"}},
         {"port names",
          container(", ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]"),
          {c + ".ports[1].name: Duplicate value: \"a\""}},
         {"a mount of no volume",
          container(", volumeMounts: [{name: v, mountPath: /v}]"),
          {c + ".volumeMounts[0].name: Invalid value: \"v\": must be the name of a volume of the "
               "pod"}},
         {"a quantity that is none",
          container(", resources: {requests: {cpu: lots}}"),
          {c + ".resources.requests[cpu]: Invalid value: \"lots\": must be a quantity such as "
               "100m, 0.5 or 128Mi"}},
         {"a typo", container(", imagee: x"), {c + ".imagee: Unknown field"}}});
}

TEST(KubernetesValidation, Service) {
  check("v1", "Service",
        {{"a cluster IP", "spec: {ports: [{port: 80}], selector: {app: web}}", {}},
         {"headless without ports", "spec: {clusterIP: None}", {}},
         {"no ports", "spec: {selector: {app: web}}", {"spec.ports: Required value"}},
         {"several ports need names",
          "spec: {ports: [{port: 80, name: a}, {port: 81}]}",
          {"spec.ports[1].name: Required value"}},
         {"the same port twice",
          "spec: {ports: [{port: 80, name: a}, {port: 80, name: b}]}",
          {R"(spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80})"}},
         {"a type that is none",
          "spec: {type: External, ports: [{port: 80}]}",
          {"spec.type: Unsupported value: \"External\": supported values: \"ClusterIP\", "
           "\"NodePort\", \"LoadBalancer\", \"ExternalName\""}},
         {"a name that starts with a digit",
          "metadata: {name: 1web}\nspec: {ports: [{port: 80}]}",
          {"metadata.name: Invalid value: \"1web\": must be an RFC 1035 label: at most 63 lower "
           "case letters, digits or '-', starting with a letter and ending with a letter or "
           "digit"}}});
}

TEST(KubernetesValidation, NamesAndLabels) {
  check("v1", "Namespace",
        {{"a dot",
          "metadata: {name: a.b}",
          {"metadata.name: Invalid value: \"a.b\": must be a lowercase RFC 1123 label: at most 63 "
           "lower case letters, digits or '-', starting and ending with a letter or digit"}},
         {"generateName", "metadata: {generateName: test-}", {}},
         {"labels",
          "metadata: {name: a, labels: {'example.com/a': b, '-c': d, e: '-f'}}",
          {"metadata.labels: Invalid value: \"-c\": a name must be 1 to 63 letters, digits, '-', "
           "'_' or '.', and start and end with a letter or digit, optionally after a DNS subdomain "
           "and '/'",
           "metadata.labels[e]: Invalid value: \"-f\": a label value must be empty, or at most 63 "
           "letters, digits, '-', '_' or '.', and start and end with a letter or digit"}}});
}

TEST(KubernetesValidation, EndpointSliceAddresses) {
  check("discovery.k8s.io/v1", "EndpointSlice",
        {{"IPv6", "addressType: IPv6\nendpoints: [{addresses: ['fd00::1']}]", {}},
         {"the other family",
          "addressType: IPv6\nendpoints: [{addresses: [10.0.0.1]}]",
          {"endpoints[0].addresses[0]: Invalid value: \"10.0.0.1\": must be an IPv6 address"}}});
}

TEST(UnknownFields, AreRefusedWarnedOfOrDroppedAsTold) {
  const Kind& kind = *find_kind("v1", "Namespace");
  const std::string manifest = "{metadata: {name: a, foo: 1}, bar: {}}";

  const auto refused = prepare_manifest(kind, manifest, UnknownFields::refuse);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fields.size(), 2);
  EXPECT_EQ(refused.error().code, base::ErrorCode::invalid);

  const auto warned = prepare_manifest(kind, manifest, UnknownFields::warn);
  ASSERT_TRUE(warned);
  EXPECT_THAT(warned->warnings,
              testing::ElementsAre("unknown field \"bar\"", "unknown field \"metadata.foo\""));
  EXPECT_FALSE(warned->object.contains("bar"));

  const auto ignored = prepare_manifest(kind, manifest, UnknownFields::ignore);
  ASSERT_TRUE(ignored);
  EXPECT_TRUE(ignored->warnings.empty());
  EXPECT_FALSE(ignored->object.contains("bar"));
}

}  // namespace
}  // namespace margay::api
