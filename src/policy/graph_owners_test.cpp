// Who has what several claim.

#include <gtest/gtest.h>

#include "policy/graph_fixture.h"

namespace margay::policy {
namespace {

Change<WorkloadKey, WorkloadEndpoint> there(const WorkloadEndpoint& endpoint) {
  return {endpoint.key, endpoint};
}
Change<WorkloadKey, WorkloadEndpoint> gone(const WorkloadEndpoint& endpoint) {
  return {endpoint.key, std::nullopt};
}
Change<HostEndpointKey, HostEndpoint> there(const HostEndpoint& endpoint) {
  return {endpoint.key, endpoint};
}
Change<std::string, HostInterface> interface(const char* name, std::vector<IPAddress> addresses) {
  return {name, HostInterface{name, std::move(addresses)}};
}
HostEndpoint host_endpoint(const char* name, const char* interface_name,
                           std::vector<IPAddress> expected = {}) {
  return {.key = {k_node, name},
          .interface_name = interface_name,
          .expected_addresses = std::move(expected),
          .labels = {},
          .profiles = {},
          .ports = {}};
}
IPAddress ip(const char* text) { return *IPAddress::parse(text); }

std::string reason(const Observed& observed, const Unprogrammed::Key& key) {
  const auto found = observed.program().unprogrammed.find(key);
  if (found == observed.program().unprogrammed.end()) return {};
  return (found->second.partly ? "partly: " : "") + found->second.reason;
}

TEST(Owners, AnInterfaceBelongsToTheLowestWorkloadAndPassesOnWhenItGoes) {
  Observed observed;
  WorkloadEndpoint first = pod("a", k_node, "10.65.0.1", {}),
                   second = pod("b", k_node, "10.65.0.2", {});
  second.interface_name = first.interface_name;
  observed.change(there(second));
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");
  EXPECT_TRUE(observed.program().workloads.contains(second.key));
  observed.change(there(first));
  ASSERT_EQ(observed.flush(), "");
  EXPECT_FALSE(observed.program().workloads.contains(second.key));
  EXPECT_FALSE(observed.program().routes.contains(Prefix(ip("10.65.0.2"))));
  EXPECT_EQ(reason(observed, second.key), "interface cali-a is that of node-a/k8s/shop/a/eth0");
  observed.change(gone(first));
  ASSERT_EQ(observed.flush(), "");
  EXPECT_TRUE(observed.program().workloads.contains(second.key));
  EXPECT_EQ(reason(observed, second.key), "");
}

TEST(Owners, AnAddressBelongsToTheLowestWorkloadThatCanCarryIt) {
  Observed observed;
  WorkloadEndpoint down = pod("a", k_node, "10.65.0.1", {});
  down.admin_up = false;
  const WorkloadEndpoint up = pod("b", k_node, "10.65.0.1", {}),
                         late = pod("c", k_node, "10.65.0.1", {});
  for (const WorkloadEndpoint& endpoint : {late, down, up}) observed.change(there(endpoint));
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(observed.program().routes.at(Prefix(ip("10.65.0.1"))).interface_name, "cali-b");
  EXPECT_TRUE(observed.program().workloads.at(down.key).endpoint.addresses.empty());
  EXPECT_EQ(reason(observed, late.key),
            "partly: address 10.65.0.1 is that of node-a/k8s/shop/b/eth0");
  down.admin_up = true;
  observed.change(there(down));
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(observed.program().routes.at(Prefix(ip("10.65.0.1"))).interface_name, "cali-a");
}

TEST(Owners, AFloatingIPBelongsToOneWorkload) {
  Observed observed;
  WorkloadEndpoint first = pod("a", k_node, "10.65.0.1", {}),
                   second = pod("b", k_node, "10.65.0.2", {});
  first.floating_ips = {{first.addresses[0], ip("198.51.100.1")}};
  second.floating_ips = {{second.addresses[0], ip("198.51.100.1")},
                         {second.addresses[0], ip("198.51.100.2")}};
  observed.change(there(first));
  observed.change(there(second));
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(observed.program().workloads.at(second.key).endpoint.floating_ips.size(), 1U);
  EXPECT_EQ(reason(observed, second.key),
            "partly: floating IP 198.51.100.1 is that of node-a/k8s/shop/a/eth0");
}

// Given these interfaces and host endpoints, which governs what.
struct Governed {
  const char* name;
  std::vector<HostEndpoint> endpoints;
  std::map<std::string, std::vector<std::string>> interfaces;  // by endpoint; "*": every other
  std::map<std::string, std::string> reasons;
};

TEST(Owners, HostEndpointsGovernByNameThenByAddressTheLowestFirst) {
  const IPAddress first = ip("192.0.2.1"), second = ip("192.0.2.2"), other = ip("203.0.113.1");
  const std::vector<Governed> cases = {
      {"by name", {host_endpoint("h", "eth0")}, {{"h", {"eth0"}}}, {}},
      {"by name, before the interface is there",
       {host_endpoint("h", "eth7")},
       {{"h", {"eth7"}}},
       {}},
      {"by address", {host_endpoint("h", "", {second})}, {{"h", {"eth1"}}}, {}},
      {"two by addresses of one endpoint",
       {host_endpoint("h", "", {first, second})},
       {{"h", {"eth0", "eth1"}}},
       {}},
      {"a name before an address",
       {host_endpoint("a", "", {first}), host_endpoint("b", "eth0")},
       {{"b", {"eth0"}}},
       {{"a", "interface eth0 is that of host endpoint b"}}},
      {"a name is not overruled by addresses",
       {host_endpoint("h", "eth0", {second})},
       {{"h", {"eth0"}}},
       {}},
      {"the lowest of two names",
       {host_endpoint("b", "eth0"), host_endpoint("a", "eth0")},
       {{"a", {"eth0"}}},
       {{"b", "interface eth0 is that of host endpoint a"}}},
      {"the lowest of two that expect an address",
       {host_endpoint("b", "", {first}), host_endpoint("a", "", {first})},
       {{"a", {"eth0"}}},
       {{"b", "interface eth0 is that of host endpoint a"}}},
      {"* is for the rest",
       {host_endpoint("a", "*"), host_endpoint("b", "eth0")},
       {{"a", {"*"}}, {"b", {"eth0"}}},
       {}},
      {"one * is enough",
       {host_endpoint("b", "*"), host_endpoint("a", "*")},
       {{"a", {"*"}}},
       {{"b", "host endpoint a is the one for *"}}},
      {"nothing to govern",
       {host_endpoint("h", "", {other})},
       {},
       {{"h", "no interface has one of its expectedIPs"}}},
      {"a workload's interface is no host's",
       {host_endpoint("h", "cali-web")},
       {},
       {{"h", "interface cali-web is a workload's by its name (interfacePrefix)"}}},
  };
  for (const auto& [name, endpoints, interfaces, reasons] : cases) {
    Observed observed;
    observed.change(there(pod("web", k_node, "10.65.0.2", {})));
    observed.change(interface("eth0", {first}));
    observed.change(interface("eth1", {second}));
    for (const HostEndpoint& endpoint : endpoints) observed.change(there(endpoint));
    observed.in_sync();
    ASSERT_EQ(observed.flush(), "") << name;
    std::map<std::string, std::vector<std::string>> governed;
    for (const auto& [key, endpoint] : observed.program().host_endpoints) {
      governed[key.name] = endpoint.interfaces;
      if (endpoint.every_other_interface) governed[key.name].push_back("*");
    }
    EXPECT_EQ(governed, interfaces) << name;
    for (const HostEndpoint& endpoint : endpoints) {
      const auto expected = reasons.find(endpoint.key.name);
      EXPECT_EQ(reason(observed, endpoint.key), expected == reasons.end() ? "" : expected->second)
          << name;
    }
  }
}

TEST(Owners, AHostEndpointFollowsItsAddressFromInterfaceToInterface) {
  Observed observed;
  const HostEndpoint endpoint = host_endpoint("h", "", {ip("192.0.2.1")});
  observed.change(there(endpoint));
  observed.change(interface("eth0", {ip("192.0.2.1")}));
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");
  observed.change(interface("eth0", {}));
  observed.change(interface("eth1", {ip("192.0.2.1")}));
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(observed.program().host_endpoints.at(endpoint.key).interfaces,
            std::vector<std::string>{"eth1"});
  observed.change(Change<std::string, HostInterface>{"eth1", std::nullopt});
  ASSERT_EQ(observed.flush(), "");
  EXPECT_TRUE(observed.program().host_endpoints.empty());
}

TEST(Owners, AFrontendBelongsToTheOlderServiceAndPassesOnWholeWhenItGoes) {
  Observed observed;
  const auto service = [](const char* name, const char* created, const char* cluster_ip) {
    Service made{.key = {"shop", name},
                 .created = created,
                 .cluster_ips = {ip(cluster_ip)},
                 .external_ips = {ip("198.51.100.1")},
                 .load_balancer_ips = {},
                 .ports = {{"http", k_tcp, 80, 0}},
                 .client_affinity = {},
                 .source_ranges = {}};
    return Change<ServiceKey, Service>{made.key, made};
  };
  const auto frontends = [&observed](const char* name) {
    const auto found = observed.program().services.find({"shop", name});
    return found == observed.program().services.end() ? 0 : found->second.ports[0].frontends.size();
  };
  observed.change(service("a-young", "2026-02-01T00:00:00Z", "10.96.0.1"));
  observed.change(service("b-old", "2026-01-01T00:00:00Z", "10.96.0.2"));
  observed.in_sync();
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(frontends("b-old"), 2U);
  EXPECT_EQ(frontends("a-young"), 1U);
  EXPECT_EQ(reason(observed, ServiceKey{"shop", "a-young"}),
            "partly: 198.51.100.1:80/tcp is that of shop/b-old");
  observed.change(Change<ServiceKey, Service>{{"shop", "b-old"}, std::nullopt});
  ASSERT_EQ(observed.flush(), "");
  EXPECT_EQ(frontends("a-young"), 2U);
  EXPECT_EQ(frontends("b-old"), 0U);
}

}  // namespace
}  // namespace margay::policy
