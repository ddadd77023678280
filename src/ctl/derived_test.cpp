// What Calico v3.19 makes of Kubernetes' objects.

#include "ctl/derived.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/codec.h"
#include "api/json_path.h"

namespace margay::ctl {
namespace {

json::object parsed(const char* text) {
  auto documents = api::parse_yaml(text);
  EXPECT_TRUE(documents) << documents.error().message;
  return documents->front().get_object();
}

TEST(Derived, EndpointNamesAreReadBack) {
  for (const auto& [node, pod] : {std::pair("a", "b"), {"node-1", "web-0"}, {"-a-", "b--c"}}) {
    const auto name = parse_endpoint_name(endpoint_name(node, pod));
    ASSERT_TRUE(name) << node << ' ' << pod;
    EXPECT_EQ(name->node, node);
    EXPECT_EQ(name->pod, pod);
  }
  EXPECT_EQ(endpoint_name("node-a", "web-1"), "node--a-k8s-web--1-eth0");
  for (const auto* other : {"", "web", "a-cni-b-eth0", "a-k8s-b", "a-k8s-b-eth0-c", "-k8s-b-eth0"})
    EXPECT_FALSE(parse_endpoint_name(other)) << other;
}

TEST(Derived, APodOnANodeWithANetworkOfItsOwnHasAnEndpoint) {
  const auto made = derived_endpoint(parsed(R"(
    metadata: {name: web, namespace: shop, uid: u, resourceVersion: "7", labels: {app: web},
               annotations: {cni.projectcalico.org/podIP: 10.0.0.1/32,
                             cni.projectcalico.org/floatingIPs: '["192.0.2.7"]'}}
    spec: {nodeName: n, serviceAccountName: sa,
           containers: [{name: c, ports: [{name: dns, containerPort: 53, protocol: UDP}]}]})"));
  ASSERT_TRUE(made && *made);
  EXPECT_EQ(api::to_json((*made)->at("spec")),
            R"({"orchestrator":"k8s","node":"n","pod":"web","endpoint":"eth0",)"
            R"("interfaceName":"cali551b05c3e54","ipNetworks":["10.0.0.1/32"],)"
            R"("ipNATs":[{"internalIP":"10.0.0.1","externalIP":"192.0.2.7"}],)"
            R"("profiles":["kns.shop","ksa.shop.sa"],)"
            R"("ports":[{"name":"dns","protocol":"UDP","port":53}]})");
  for (const auto* none :
       {"{metadata: {name: a, namespace: b}, spec: {}}",
        "{metadata: {name: a, namespace: b}, spec: {nodeName: n, hostNetwork: true}}"}) {
    const auto nothing = derived_endpoint(parsed(none));
    ASSERT_TRUE(nothing);
    EXPECT_FALSE(*nothing) << none;
  }
}

TEST(Derived, ANodeHasWhatItsAnnotationsSay) {
  const auto node = derived_node(parsed(R"(
    metadata: {name: n, labels: {zone: x},
               annotations: {projectcalico.org/IPv4Address: 10.0.0.5/24,
                             projectcalico.org/ASNumber: "64600",
                             projectcalico.org/labels: '{"rack":"1","zone":"y"}'}}
    status: {addresses: [{type: InternalIP, address: 10.0.0.5}, {type: Hostname, address: n}]})"));
  EXPECT_EQ(api::to_json(node.at("spec")),
            R"({"bgp":{"ipv4Address":"10.0.0.5/24","asNumber":64600},)"
            R"("orchRefs":[{"nodeName":"n","orchestrator":"k8s"}],)"
            R"("addresses":[{"address":"10.0.0.5/24","type":"CalicoNodeIP"},)"
            R"({"address":"10.0.0.5","type":"InternalIP"}]})");
  EXPECT_EQ(api::to_json(*api::find_at(node, {"metadata", "labels"})),
            R"({"rack":"1","zone":"x"})");
}

TEST(Derived, NamespacesAndServiceAccountsAreProfiles) {
  const auto ns = namespace_profile(parsed("{metadata: {name: shop, labels: {team: a}}}"));
  ASSERT_TRUE(ns);
  EXPECT_EQ(api::text_at(*ns, {"metadata", "name"}), "kns.shop");
  EXPECT_EQ(api::text_at(*ns, {"spec", "labelsToApply", "pcns.team"}), "a");
  const auto account =
      service_account_profile(parsed("{metadata: {name: sa, namespace: shop, labels: {r: w}}}"));
  ASSERT_TRUE(account);
  EXPECT_EQ(api::text_at(*account, {"metadata", "name"}), "ksa.shop.sa");
  EXPECT_EQ(api::text_at(*account, {"spec", "labelsToApply", "pcsa.r"}), "w");
}

}  // namespace
}  // namespace margay::ctl
