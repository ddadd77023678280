#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "k8s/convert.h"
#include "k8s/names.h"

namespace margay::k8s {
namespace {

using api::kubernetes::Pod;
using policy::FloatingIP;
using policy::IPAddress;
using policy::NamedPort;
using policy::Prefix;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

IPAddress address(std::string_view text) { return *IPAddress::parse(text); }

Pod running_pod() {
  Pod pod;
  pod.metadata.ns = "shop";
  pod.metadata.name = "web-1";
  pod.metadata.labels = {{"app", "web"}};
  pod.spec.node_name = "node-a";
  pod.spec.service_account_name = "web";
  pod.status.phase = "Running";
  pod.status.pod_ips = {"10.0.0.1", "fd00::1"};
  return pod;
}

TEST(Names, AreCalicos) {
  EXPECT_EQ(namespace_profile("shop"), "kns.shop");
  EXPECT_EQ(service_account_profile("shop", "web"), "ksa.shop.web");
  EXPECT_EQ(kubernetes_policy("deny"), "knp.default.deny");
  EXPECT_EQ(without_tier("default.deny"), "deny");
  EXPECT_EQ(without_tier("deny"), "deny");
  // printf shop.web-1 | sha1sum
  EXPECT_EQ(interface_name("shop", "web-1"), "cali751425ce827");
  EXPECT_EQ(interface_name("shop", "web-1", "eni"), "eni751425ce827");
}

TEST(Namespace, BecomesAProfileThatAllowsAndApplies) {
  api::kubernetes::Namespace ns;
  ns.metadata.name = "shop";
  ns.metadata.labels = {{"team", "a"}};
  const policy::Profile profile = profile_of(ns);
  EXPECT_EQ(profile.name, "kns.shop");
  EXPECT_THAT(profile.labels_to_apply,
              ElementsAre(Pair("pcns.projectcalico.org/name", "shop"), Pair("pcns.team", "a")));
  EXPECT_THAT(profile.ingress, ElementsAre(policy::Rule{}));
  EXPECT_THAT(profile.egress, ElementsAre(policy::Rule{}));
}

TEST(ServiceAccount, BecomesAProfileOfLabelsAlone) {
  api::kubernetes::ServiceAccount account;
  account.metadata.ns = "shop";
  account.metadata.name = "web";
  account.metadata.labels = {{"tier", "front"}};
  const policy::Profile profile = profile_of(account);
  EXPECT_EQ(profile.name, "ksa.shop.web");
  EXPECT_THAT(profile.labels_to_apply,
              ElementsAre(Pair("pcsa.projectcalico.org/name", "web"), Pair("pcsa.tier", "front")));
  EXPECT_THAT(profile.ingress, IsEmpty());
  EXPECT_THAT(profile.egress, IsEmpty());
}

TEST(Pod, BecomesAWorkloadEndpoint) {
  Warnings warnings;
  const auto endpoint = endpoint_of(running_pod(), warnings);
  EXPECT_THAT(warnings, IsEmpty());
  EXPECT_EQ(endpoint.key.id(), "node-a/k8s/shop/web-1/eth0");
  EXPECT_EQ(endpoint.ns, "shop");
  EXPECT_EQ(endpoint.interface_name, "cali751425ce827");
  EXPECT_THAT(endpoint.addresses, ElementsAre(address("10.0.0.1"), address("fd00::1")));
  EXPECT_THAT(endpoint.labels,
              UnorderedElementsAre(Pair("app", "web"), Pair("projectcalico.org/namespace", "shop"),
                                   Pair("projectcalico.org/orchestrator", "k8s"),
                                   Pair("projectcalico.org/serviceaccount", "web")));
  EXPECT_THAT(endpoint.profiles, ElementsAre("kns.shop", "ksa.shop.web"));
  EXPECT_TRUE(endpoint.admin_up);
}

TEST(Pod, WithoutAServiceAccountHasNoneOfItsLabels) {
  Warnings warnings;
  Pod pod = running_pod();
  pod.spec.service_account_name.clear();
  const auto endpoint = endpoint_of(pod, warnings);
  EXPECT_FALSE(endpoint.labels.contains(k_service_account_label));
  EXPECT_THAT(endpoint.profiles, ElementsAre("kns.shop"));
}

// A workload cannot say where it stands: whatever labels it has, it is in its own namespace, of its
// own service account.
TEST(Pod, CannotClaimTheLabelsOfAnotherNamespaceOrServiceAccount) {
  Pod pod = running_pod();
  pod.metadata.labels = {{"app", "web"},
                         {"pcns.team", "admin"},
                         {"pcns.projectcalico.org/name", "kube-system"},
                         {"pcsa.projectcalico.org/name", "root"},
                         {"projectcalico.org/namespace", "kube-system"},
                         {"projectcalico.org/orchestrator", "cni"},
                         {"projectcalico.org/serviceaccount", "root"}};
  Warnings warnings;
  EXPECT_EQ(endpoint_of(pod, warnings).labels, endpoint_of(running_pod(), warnings).labels);
  pod.spec.service_account_name.clear();
  EXPECT_FALSE(endpoint_of(pod, warnings).labels.contains(k_service_account_label));
}

TEST(Pod, OnTheHostsNetworkHasNoEndpoint) {
  Pod pod = running_pod();
  EXPECT_TRUE(has_endpoint(pod));
  pod.spec.host_network = true;
  EXPECT_FALSE(has_endpoint(pod));
}

TEST(Pod, AddressesAreWhereTheyWereWrittenLast) {
  struct Case {
    const char* name;
    std::function<void(Pod&)> given;
    std::vector<IPAddress> addresses;
  };
  const auto annotate = [](std::string_view key, const char* value) {
    return [=](Pod& pod) {
      pod.status.pod_ips.clear();
      pod.metadata.annotations[std::string(key)] = value;
    };
  };
  const std::vector<Case> cases = {
      {"status.podIPs over everything",
       [](Pod& pod) {
         pod.status.pod_ip = "10.0.0.9";
         pod.metadata.annotations[std::string(k_pod_ips_annotation)] = "10.0.0.8/32";
       },
       {address("10.0.0.1"), address("fd00::1")}},
      {"status.podIP alone",
       [](Pod& pod) {
         pod.status.pod_ips.clear();
         pod.status.pod_ip = "10.0.0.9";
       },
       {address("10.0.0.9")}},
      {"annotation podIPs",
       annotate(k_pod_ips_annotation, "10.0.0.8/32,fd00::8/128"),
       {address("10.0.0.8"), address("fd00::8")}},
      {"annotation podIP", annotate(k_pod_ip_annotation, "10.0.0.7/32"), {address("10.0.0.7")}},
      {"none yet", [](Pod& pod) { pod.status = {}; }, {}},
      {"succeeded", [](Pod& pod) { pod.status.phase = "Succeeded"; }, {}},
      {"failed", [](Pod& pod) { pod.status.phase = "Failed"; }, {}},
      {"being deleted, within its grace period",
       [](Pod& pod) {
         pod.metadata.deletion_timestamp = "2021-05-01T10:00:00Z";
         pod.metadata.annotations[std::string(k_pod_ip_annotation)] = "10.0.0.1/32";
       },
       {address("10.0.0.1"), address("fd00::1")}},
      {"being deleted, and the CNI plugin has taken its addresses",
       [](Pod& pod) {
         pod.metadata.deletion_timestamp = "2021-05-01T10:00:00Z";
         pod.metadata.annotations[std::string(k_pod_ip_annotation)] = "";
       },
       {}},
  };
  for (const auto& [name, given, addresses] : cases) {
    Pod pod = running_pod();
    given(pod);
    Warnings warnings;
    const auto endpoint = endpoint_of(pod, warnings);
    EXPECT_EQ(endpoint.addresses, addresses) << name;
    EXPECT_EQ(endpoint.labels.at("app"), "web") << name << ": the endpoint itself stays";
    EXPECT_THAT(warnings, IsEmpty()) << name;
  }
}

TEST(Pod, NamedPortsOfEveryTransportProtocol) {
  Pod pod = running_pod();
  pod.spec.containers = {
      {.name = "a",
       .ports = {{.name = "http", .container_port = 8080},
                 {.container_port = 9090},
                 {.name = "dns", .container_port = 53, .protocol = "UDP"}}},
      {.name = "b", .ports = {{.name = "sig", .container_port = 7777, .protocol = "SCTP"}}}};
  Warnings warnings;
  EXPECT_THAT(
      endpoint_of(pod, warnings).ports,
      ElementsAre(NamedPort{"http", policy::k_tcp, 8080}, NamedPort{"dns", policy::k_udp, 53},
                  NamedPort{"sig", policy::k_sctp, 7777}));
  EXPECT_THAT(warnings, IsEmpty());
}

TEST(Pod, NamedPortsOfSidecarsCount) {
  Pod pod = running_pod();
  pod.spec.containers = {{.ports = {{.name = "http", .container_port = 8080}}}};
  pod.spec.init_containers = {
      {.ports = {{.name = "proxy", .container_port = 15001}}, .restart_policy = "Always"},
      {.ports = {{.name = "setup", .container_port = 1}}}};
  Warnings warnings;
  EXPECT_THAT(endpoint_of(pod, warnings).ports,
              ElementsAre(NamedPort{"http", policy::k_tcp, 8080},
                          NamedPort{"proxy", policy::k_tcp, 15001}));
}

TEST(Pod, FloatingIPsMapToTheAddressOfTheirFamily) {
  Pod pod = running_pod();
  pod.metadata.annotations[std::string(k_floating_ips_annotation)] =
      R"(["192.0.2.1", "2001:db8::1"])";
  Warnings warnings;
  EXPECT_THAT(endpoint_of(pod, warnings).floating_ips,
              ElementsAre(FloatingIP{address("10.0.0.1"), address("192.0.2.1")},
                          FloatingIP{address("fd00::1"), address("2001:db8::1")}));
  pod.status.pod_ips = {"10.0.0.1"};
  EXPECT_EQ(endpoint_of(pod, warnings).floating_ips.size(), 1U);
  EXPECT_THAT(warnings, IsEmpty());
}

TEST(Pod, WhatCannotBeReadIsLeftOutWithAWarning) {
  struct Case {
    const char* name;
    std::function<void(Pod&)> given;
    const char* warning;
  };
  const std::vector<Case> cases = {
      {"address", [](Pod& pod) { pod.status.pod_ips = {"10.0.0.1", "ten"}; },
       "status.podIPs[1]: Invalid value: \"ten\": must be an IP address"},
      {"a whole subnet", [](Pod& pod) { pod.status.pod_ips = {"10.0.0.0/24"}; },
       "status.podIPs[0]: Invalid value: \"10.0.0.0/24\""},
      {"port",
       [](Pod& pod) {
         pod.spec.containers = {{.ports = {{.name = "http", .container_port = 70000}}}};
       },
       "spec.containers[0].ports[0].containerPort: Invalid value: 70000"},
      {"protocol",
       [](Pod& pod) {
         pod.spec.containers = {
             {.ports = {{.name = "x", .container_port = 1, .protocol = "QUIC"}}}};
       },
       "spec.containers[0].ports[0].protocol: Invalid value: \"QUIC\""},
      {"floating IPs",
       [](Pod& pod) {
         pod.metadata.annotations[std::string(k_floating_ips_annotation)] = "192.0.2.1";
       },
       "metadata.annotations.cni.projectcalico.org/floatingIPs: Invalid value"},
  };
  for (const auto& [name, given, warning] : cases) {
    Pod pod = running_pod();
    given(pod);
    Warnings warnings;
    endpoint_of(pod, warnings);
    EXPECT_THAT(warnings, ElementsAre(HasSubstr(warning))) << name;
  }
}

TEST(WorkloadEndpoint, IsReadAsItIsWritten) {
  api::WorkloadEndpoint object;
  object.metadata.ns = "shop";
  object.metadata.labels = {{"app", "vm"}};
  object.spec = {.orchestrator = "openstack",
                 .workload = "vm-1",
                 .node = "node-a",
                 .endpoint = "eth1",
                 .service_account_name = "sa",
                 .ip_networks = {"10.0.0.1/32"},
                 .ip_nats = {{.internal_ip = "10.0.0.1", .external_ip = "192.0.2.1"}},
                 .profiles = {"p"},
                 .interface_name = "tap1",
                 .mac = "02:00:00:00:00:01",
                 .ports = {{.name = "http", .protocol = std::string("tcp"), .port = 80}}};
  const auto endpoint = endpoint_of(object);
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint->key.id(), "node-a/openstack/shop/vm-1/eth1");
  EXPECT_EQ(endpoint->interface_name, "tap1");
  EXPECT_EQ(endpoint->mac, "02:00:00:00:00:01");
  EXPECT_THAT(endpoint->addresses, ElementsAre(address("10.0.0.1")));
  EXPECT_THAT(endpoint->profiles, ElementsAre("p"));
  EXPECT_THAT(endpoint->ports, ElementsAre(NamedPort{"http", policy::k_tcp, 80}));
  EXPECT_THAT(endpoint->floating_ips,
              ElementsAre(FloatingIP{address("10.0.0.1"), address("192.0.2.1")}));
  EXPECT_EQ(endpoint->labels.at("projectcalico.org/orchestrator"), "openstack");
  EXPECT_EQ(endpoint->labels.at("projectcalico.org/serviceaccount"), "sa");
}

TEST(WorkloadEndpoint, CannotClaimTheLabelsOfAnotherNamespaceOrServiceAccount) {
  api::WorkloadEndpoint object;
  object.metadata.ns = "shop";
  object.metadata.labels = {{"app", "vm"},
                            {"pcns.team", "admin"},
                            {"pcsa.projectcalico.org/name", "root"},
                            {"projectcalico.org/namespace", "kube-system"},
                            {"projectcalico.org/orchestrator", "k8s"},
                            {"projectcalico.org/serviceaccount", "root"}};
  object.spec = {.orchestrator = "openstack",
                 .workload = "w",
                 .node = "n",
                 .endpoint = "eth0",
                 .profiles = {"kns.bank", "p", "kns.shop", "ksa.bank.a", "ksa.shop.a"}};
  const auto endpoint = endpoint_of(object);
  ASSERT_TRUE(endpoint);
  EXPECT_THAT(endpoint->profiles, ElementsAre("p", "kns.shop", "ksa.shop.a"));
  EXPECT_THAT(endpoint->labels,
              UnorderedElementsAre(Pair("app", "vm"), Pair("projectcalico.org/namespace", "shop"),
                                   Pair("projectcalico.org/orchestrator", "openstack")));
}

TEST(WorkloadEndpoint, OfEachOrchestratorIsKnownByWhatTellsItsWorkloadsApart) {
  struct Case {
    const char* orchestrator;
    const char* workload;
  };
  for (const auto& [orchestrator, workload] :
       {Case{"k8s", "shop/pod"}, Case{"cni", "shop/container"}, Case{"openstack", "shop/vm"}}) {
    api::WorkloadEndpoint object;
    object.metadata.ns = "shop";
    object.spec = {.orchestrator = orchestrator,
                   .workload = "vm",
                   .node = "n",
                   .container_id = "container",
                   .pod = "pod",
                   .endpoint = "eth0"};
    const auto endpoint = endpoint_of(object);
    ASSERT_TRUE(endpoint);
    EXPECT_EQ(endpoint->key.workload, workload) << orchestrator;
  }
}

// An endpoint of which a part can be read still closes its interface.
TEST(HostEndpoint, LeavesOutWhatCannotBeReadWithAWarning) {
  api::HostEndpoint object;
  object.metadata.name = "eth0";
  object.spec = {.node = "node-a",
                 .interface_name = "eth0",
                 .expected_ips = {"192.0.2.1", "x"},
                 .ports = {{.name = "p", .protocol = std::string("tcp"), .port = -1}}};
  Warnings warnings;
  const auto endpoint = endpoint_of(object, warnings);
  EXPECT_THAT(warnings,
              ElementsAre(HasSubstr("spec.expectedIPs[1]"), HasSubstr("spec.ports[0].port")));
  EXPECT_EQ(endpoint.key.id(), "node-a/eth0");
  EXPECT_EQ(endpoint.interface_name, "eth0");
  EXPECT_THAT(endpoint.expected_addresses, ElementsAre(address("192.0.2.1")));
}

}  // namespace
}  // namespace margay::k8s
