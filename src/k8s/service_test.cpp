// Services and endpoint slices, as docs/policy.md ("Services") says they are meant.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "k8s/convert.h"

namespace margay::k8s {
namespace {

using policy::Backend;
using policy::BackendPort;
using policy::IPAddress;
using policy::Prefix;
using policy::ServicePort;
using policy::TrafficPolicy;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

IPAddress address(std::string_view text) { return *IPAddress::parse(text); }

api::kubernetes::Service load_balancer() {
  api::kubernetes::Service object;
  object.metadata.ns = "shop";
  object.metadata.name = "web";
  object.metadata.creation_timestamp = "2026-01-01T00:00:00Z";
  object.type = "LoadBalancer";
  object.cluster_ip = "10.96.0.1";
  object.cluster_ips = {"10.96.0.1", "fd96::1"};
  object.external_ips = {"198.51.100.1"};
  object.load_balancer_ips = {"198.51.100.2"};
  object.load_balancer_source_ranges = {"192.0.2.0/24"};
  object.ports = {{.name = "http", .protocol = "TCP", .port = 80, .node_port = 30080},
                  {.name = "dns", .protocol = "UDP", .port = 53}};
  object.session_affinity = "ClientIP";
  object.session_affinity_timeout_seconds = 60;
  object.external_traffic_policy = "Local";
  object.internal_traffic_policy = "Cluster";
  return object;
}

TEST(Service, IsReadWithEveryWayToReachIt) {
  Warnings warnings;
  const auto service = service_of(load_balancer(), warnings);
  EXPECT_THAT(warnings, IsEmpty());
  EXPECT_EQ(service.key.id(), "shop/web");
  EXPECT_EQ(service.created, "2026-01-01T00:00:00Z");
  EXPECT_THAT(service.cluster_ips, ElementsAre(address("10.96.0.1"), address("fd96::1")));
  EXPECT_THAT(service.external_ips, ElementsAre(address("198.51.100.1")));
  EXPECT_THAT(service.load_balancer_ips, ElementsAre(address("198.51.100.2")));
  EXPECT_THAT(service.source_ranges, ElementsAre(*Prefix::parse("192.0.2.0/24")));
  EXPECT_THAT(service.ports, ElementsAre(ServicePort{"http", policy::k_tcp, 80, 30080},
                                         ServicePort{"dns", policy::k_udp, 53, 0}));
  EXPECT_EQ(service.client_affinity, std::chrono::seconds(60));
  EXPECT_EQ(service.external_policy, TrafficPolicy::local);
  EXPECT_EQ(service.internal_policy, TrafficPolicy::cluster);
}

TEST(Service, HasOnlyWhatItsTypeGives) {
  Warnings warnings;
  auto object = load_balancer();
  object.type = "NodePort";
  EXPECT_THAT(service_of(object, warnings).load_balancer_ips, IsEmpty());
  EXPECT_EQ(service_of(object, warnings).ports[0].node_port, 30080);
  object.type = "ClusterIP";
  object.session_affinity = "None";
  EXPECT_EQ(service_of(object, warnings).ports[0].node_port, 0);
  EXPECT_EQ(service_of(object, warnings).client_affinity, std::nullopt);
  EXPECT_TRUE(has_frontends(object));
  object.cluster_ip = "None";
  EXPECT_FALSE(has_frontends(object)) << "headless";
  object.cluster_ip = "";
  object.type = "ExternalName";
  EXPECT_FALSE(has_frontends(object));
}

TEST(Service, PrefersItsZoneWhenItSaysSo) {
  Warnings warnings;
  auto object = load_balancer();
  EXPECT_FALSE(service_of(object, warnings).prefers_zone);
  object.metadata.annotations["service.kubernetes.io/topology-mode"] = "Auto";
  EXPECT_TRUE(service_of(object, warnings).prefers_zone);
  object.metadata.annotations["service.kubernetes.io/topology-mode"] = "Disabled";
  EXPECT_FALSE(service_of(object, warnings).prefers_zone);
  object.traffic_distribution = "PreferClose";
  EXPECT_TRUE(service_of(object, warnings).prefers_zone);
}

// Without a range that cannot be read the service would be open to everyone.
TEST(Service, WhoseSourceRangesCannotBeReadHasNoLoadBalancer) {
  Warnings warnings;
  auto object = load_balancer();
  object.load_balancer_source_ranges = {"everyone"};
  EXPECT_THAT(service_of(object, warnings).load_balancer_ips, IsEmpty());
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("spec.loadBalancerSourceRanges[0]")));
}

api::kubernetes::EndpointSlice slice() {
  api::kubernetes::EndpointSlice object;
  object.metadata.ns = "shop";
  object.metadata.name = "web-1";
  object.metadata.labels = {{"kubernetes.io/service-name", "web"}};
  object.address_type = "IPv4";
  object.ports = {{.name = "http", .protocol = "TCP", .port = 8080}};
  object.endpoints = {{.addresses = {"10.0.0.1"}, .conditions = {}, .node_name = "node-a"}};
  return object;
}

TEST(EndpointSlice, TellsTheBackendsOfItsService) {
  Warnings warnings;
  const auto read = endpoint_slice_of(slice(), warnings);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->key.id(), "shop/web-1");
  EXPECT_EQ(read->service.id(), "shop/web");
  EXPECT_THAT(read->ports, ElementsAre(BackendPort{"http", policy::k_tcp, 8080}));
  EXPECT_THAT(read->backends,
              ElementsAre(Backend{.address = address("10.0.0.1"), .node = "node-a"}));
  EXPECT_THAT(warnings, IsEmpty());
}

TEST(EndpointSlice, ConditionsThatAreNotSaidFollowFromTheOthers) {
  struct Case {
    api::kubernetes::EndpointConditions given;
    bool ready, serving, terminating;
  };
  const std::vector<Case> cases = {
      {{}, true, true, false},
      {{.ready = false}, false, false, false},
      {{.ready = false, .serving = true, .terminating = true}, false, true, true},
      {{.ready = true, .serving = false}, true, false, false},
  };
  for (const auto& [given, ready, serving, terminating] : cases) {
    auto object = slice();
    object.endpoints[0].conditions = given;
    Warnings warnings;
    const Backend backend = endpoint_slice_of(object, warnings)->backends.at(0);
    EXPECT_EQ(backend.ready, ready);
    EXPECT_EQ(backend.serving, serving);
    EXPECT_EQ(backend.terminating, terminating);
  }
}

TEST(EndpointSlice, HintsSayWhichZonesABackendIsFor) {
  auto object = slice();
  object.endpoints[0].hints = api::kubernetes::EndpointHints{.for_zones = {{"a"}, {"b"}}};
  Warnings warnings;
  EXPECT_THAT(endpoint_slice_of(object, warnings)->backends.at(0).for_zones, ElementsAre("a", "b"));
}

TEST(EndpointSlice, WithoutAServiceOrAddressesIsNone) {
  Warnings warnings;
  auto object = slice();
  object.address_type = "FQDN";
  EXPECT_FALSE(endpoint_slice_of(object, warnings));
  object = slice();
  object.metadata.labels.clear();
  EXPECT_FALSE(endpoint_slice_of(object, warnings));
  object = slice();
  object.endpoints[0].addresses = {"ten"};
  object.endpoints.push_back({.addresses = {"10.0.0.2"}});
  EXPECT_EQ(endpoint_slice_of(object, warnings)->backends.size(), 1U);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("endpoints[0].addresses[0]")));
}

}  // namespace
}  // namespace margay::k8s
