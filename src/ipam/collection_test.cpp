#include "ipam/collection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "ipam/names.h"
#include "ipam/testing/cluster_fixture.h"

namespace margay::ipam {
namespace {

using testing::Cluster;

constexpr const char* k_web = "k8s-pod-network.web";

// ---- what is taken ----------------------------------------------------------------------------

TEST(Collection, ANodeThatIsGoneLeavesNothing) {
  Cluster cluster;
  cluster.add_node("node1");
  cluster.add_node("node2");
  cluster.assign({.owner = Cluster::owner("web", "node1"), .v4 = 1, .v6 = 1});
  cluster.assign_tunnel("node1");
  const std::string live = cluster.assign("api", "node2");
  cluster.put_running_pod("api", "node2", live);
  const std::string live_tunnel = cluster.assign_tunnel("node2");
  cluster.remove_kubernetes_node("node1");

  const auto collected = cluster.collect_all();
  EXPECT_EQ(collected.addresses, 3U);
  EXPECT_EQ(collected.blocks, 2U);
  EXPECT_EQ(collected.nodes, 1U);
  EXPECT_FALSE(cluster.has("nodes.projectcalico.org", "node1"));
  EXPECT_TRUE(cluster.has("nodes.projectcalico.org", "node2"));
  EXPECT_TRUE(cluster.is_held(Cluster::handle("api")));
  EXPECT_TRUE(cluster.is_held("vxlan-tunnel-addr-node2"));

  const auto report = check(cluster.store()).value();
  EXPECT_TRUE(report.findings.empty());
  EXPECT_EQ(report.blocks, 1U) << "of node2";
  EXPECT_EQ(report.assigned, 2U);
  EXPECT_EQ(report.handles, 2U);

  const auto again = cluster.collect_all();
  EXPECT_EQ(again.addresses + again.blocks + again.nodes, 0U) << "there is nothing left";
}

// Each case: a pod that held an address of node1, which is there, and is no more what it was.
TEST(Collection, AnAddressWithoutItsPodIsAnOrphan) {
  const struct {
    const char* name;
    std::function<void(Cluster&)> given;
  } cases[] = {
      {"the pod is gone", [](Cluster&) {}},
      {"a pod of that name has another address",
       [](Cluster& c) { c.put_running_pod("web", "node1", "10.0.0.200"); }},
      {"a pod of that name is on its node's network",
       [](Cluster& c) {
         c.put_pod("web", R"("spec":{"nodeName":"node1","hostNetwork":true},
                             "status":{"podIP":"192.0.2.1"})");
       }},
  };
  for (const auto& [name, given] : cases) {
    SCOPED_TRACE(name);
    Cluster cluster;
    cluster.add_node("node1");
    cluster.assign("web", "node1");
    given(cluster);
    const auto plan = plan_collection(cluster.store()).value();
    EXPECT_TRUE(plan.vacated.empty());
    ASSERT_EQ(plan.orphans.size(), 1U);
    EXPECT_EQ(plan.orphans[0].handle_id, k_web);
    EXPECT_EQ(collect(cluster.store(), plan).addresses, 1U);
    EXPECT_FALSE(cluster.is_held(k_web));
  }
}

TEST(Collection, AnyKindOfTunnelAddressGoesWithItsNode) {
  for (const char* type : {"ipipTunnelAddress", "vxlanTunnelAddress", "wireguardTunnelAddress"}) {
    SCOPED_TRACE(type);
    Cluster cluster;
    cluster.assign_tunnel("node1", type);
    EXPECT_EQ(cluster.collect_all().addresses, 1U);
    EXPECT_EQ(check(cluster.store())->blocks, 0U);
  }
}

TEST(Collection, ABorrowedAddressIsItsBorrowers) {
  Cluster cluster;
  cluster.scratch().remove("ippools.projectcalico.org", "", "four");
  cluster.scratch().add_pool({.name = "four", .cidr = "10.0.0.0/28", .block_size = 28});
  cluster.add_node("node1");
  cluster.add_node("node2");
  cluster.assign("web", "node1");
  const std::string borrowed = cluster.assign("api", "node2");
  cluster.put_running_pod("api", "node2", borrowed);
  cluster.remove_kubernetes_node("node1");
  const auto collected = cluster.collect_all();
  EXPECT_EQ(collected.addresses, 1U);
  EXPECT_EQ(collected.blocks, 0U) << "the block is in use";
  EXPECT_TRUE(cluster.is_held(Cluster::handle("api")));

  cluster.remove_pod("api");
  ASSERT_TRUE(Ipam(cluster.store()).release_handle(Cluster::handle("api")));
  EXPECT_EQ(cluster.collect_all().blocks, 1U) << "once it is empty";
}

// As in Calico v3.19: a node that still has pods may come back.
TEST(Collection, ANodeWithPodsIsNotVacated) {
  Cluster cluster;
  cluster.add_node("node1");
  const std::string address = cluster.assign("web", "node1");
  cluster.put_running_pod("web", "node1", address);
  cluster.assign("old", "node1");
  cluster.assign_tunnel("node1");
  cluster.remove_kubernetes_node("node1");
  const auto plan = plan_collection(cluster.store()).value();
  EXPECT_TRUE(plan.vacated.empty());
  ASSERT_EQ(plan.orphans.size(), 1U) << "what has no pod may go";
  EXPECT_EQ(plan.orphans[0].handle_id, Cluster::handle("old"));

  cluster.remove_pod("web");
  EXPECT_EQ(plan_collection(cluster.store())->vacated.size(), 1U);
}

// ---- what must never be taken -----------------------------------------------------------------

// Each case: node1 is gone, web's address is still assigned, and somebody has it after all.
TEST(Collection, WhatSomebodyHasStays) {
  const std::string gone = R"("orchRefs":[{"orchestrator":"k8s","nodeName":"node1"}])";
  const struct {
    const char* name;
    std::function<void(Cluster&, const std::string& address)> given;
  } cases[] = {
      {"the pod has it",
       [](Cluster& c, const auto& address) { c.put_running_pod("web", "node1", address); }},
      {"the pod has it, on another node",
       [](Cluster& c, const auto& address) { c.put_running_pod("web", "node9", address); }},
      {"the pod has it by its annotation alone",
       [](Cluster& c, const auto& address) {
         c.put_pod("web", R"("spec":{"nodeName":"node9"})",
                   R"({"cni.projectcalico.org/podIPs":"fd00::1/128,)" + address + R"(/32"})");
       }},
      {"the pod has it on its second network",
       [](Cluster& c, const auto& address) {
         c.put_pod(
             "web", R"("spec":{},"status":{"podIP":"192.0.2.7"})",
             R"({"k8s.v1.cni.cncf.io/network-status":"[{\"ips\":[\")" + address + R"(\"]}]"})");
       }},
      {"the pod was just created, and has told no address yet",
       [](Cluster& c, const auto&) { c.put_pod("web", R"("spec":{})"); }},
      {"a pod on its node's network has it",
       [](Cluster& c, const auto& address) {
         c.put_pod("web", R"("spec":{"nodeName":"node9","hostNetwork":true},"status":{"podIP":")" +
                              address + R"("})");
       }},
      {"what the pod says of its address cannot be read",
       [](Cluster& c, const auto&) {
         c.put_pod("web", R"("spec":{},"status":{"podIP":"10.0.0.200"})",
                   R"({"cni.projectcalico.org/podIPs":"one, or two"})");
       }},
      {"the pod cannot be read",
       [](Cluster& c, const auto&) { c.scratch().put("pods", "shop", "web", "[]"); }},
      {"another orchestrator's workload has it",
       [](Cluster& c, const auto& address) {
         c.scratch().put("workloadendpoints.projectcalico.org", "openstack", "vm",
                         R"({"apiVersion":"projectcalico.org/v3","kind":"WorkloadEndpoint",
                             "metadata":{"name":"vm","namespace":"openstack"},
                             "spec":{"orchestrator":"openstack","workload":"vm","node":"node9",
                                     "endpoint":"eth0","interfaceName":"tap1",
                                     "ipNetworks":[")" +
                             address + R"(/32"]}})");
       }},
      {"a node has it for its tunnel",
       [](Cluster& c, const auto& address) {
         c.scratch().add_node("node2");
         c.put_calico_node("node2", R"("orchRefs":[{"orchestrator":"k8s","nodeName":"node2"}],
                                       "ipv4VXLANTunnelAddr":")" +
                                        address + "\"");
       }},
      {"its node is there after all",
       [](Cluster& c, const auto& address) {
         c.add_node("node1");
         c.put_running_pod("web", "node1", address);
       }},
      {"its node goes by another name in Kubernetes, and has a pod that was just created",
       [](Cluster& c, const auto&) {
         c.scratch().add_node("kube1");
         c.put_calico_node("node1", R"("orchRefs":[{"orchestrator":"k8s","nodeName":"kube1"}])");
         c.put_pod("web", R"("spec":{"nodeName":"kube1"})");
       }},
      {"its node is of no Kubernetes node",
       [](Cluster& c, const auto&) { c.put_calico_node("node1", R"("orchRefs":[])"); }},
      {"its Calico Node cannot be read",
       [](Cluster& c, const auto&) { c.put_calico_node("node1", R"("orchRefs":"node1")"); }},
      {"its node's kubelet is not heard of",
       [](Cluster& c, const auto&) {
         c.scratch().put("nodes", "", "node1",
                         R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"node1"},
                             "status":{"conditions":[{"type":"Ready","status":"Unknown"}]}})");
       }},
      {"its node is there, and its kubelet can take nothing down",
       [](Cluster& c, const auto&) {
         c.scratch().put("nodes", "", "node1",
                         R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"node1"},
                             "status":{"conditions":[{"type":"Ready","status":"False"}]}})");
       }},
      {"a pod has no status yet, and the annotation of the pod that it was copied from",
       [](Cluster& c, const auto&) {
         c.put_pod("web", R"("spec":{"nodeName":"node1"})",
                   R"({"cni.projectcalico.org/podIP":"10.0.0.200/32"})");
       }},
      {"a pod says it with the length of its network",
       [](Cluster& c, const std::string& address) {
         c.put_pod(
             "web", R"("spec":{"nodeName":"node1"},"status":{"podIP":"192.0.2.1"})",
             R"({"k8s.v1.cni.cncf.io/network-status":"[{\"ips\":[\")" + address + R"(/24\"]}]"})");
       }},
  };
  for (const auto& [name, given] : cases) {
    SCOPED_TRACE(name);
    Cluster cluster;
    cluster.put_calico_node("node1", gone);
    const std::string address = cluster.assign("web", "node1");
    given(cluster, address);
    EXPECT_EQ(cluster.collect_all().addresses, 0U);
    EXPECT_TRUE(cluster.is_held(k_web));
  }
}

// Each case: something in the name of node1, which is gone, that is no Kubernetes pod's by what is
// said of it. Neither it nor anything of the node's goes with it.
TEST(Collection, WhatIsNotKubernetesStays) {
  const struct {
    const char* name;
    api::Labels attributes;
  } cases[] = {
      {"nothing is said of it", {}},
      {"another orchestrator's", {{"node", "node1"}, {"vm", "vm1"}}},
      {"a pod without a namespace", {{"node", "node1"}, {"pod", "web"}}},
      {"a namespace without a pod", {{"node", "node1"}, {"namespace", "shop"}}},
      {"a pod of no node", {{"namespace", "shop"}, {"pod", "web"}}},
      {"a tunnel of no node", {{"type", "vxlanTunnelAddress"}}},
      {"a type that nobody knows", {{"node", "node1"}, {"type", "loadBalancer"}}},
      {"both a pod's and a tunnel's",
       {{"node", "node1"}, {"namespace", "shop"}, {"pod", "web"}, {"type", "vxlanTunnelAddress"}}},
  };
  for (const auto& [name, attributes] : cases) {
    SCOPED_TRACE(name);
    Cluster cluster;
    cluster.assign({.owner = {"node1", "h", attributes}, .v4 = 1});
    EXPECT_EQ(cluster.collect_all().addresses, 0U);
    EXPECT_TRUE(cluster.is_held("h"));
  }
}

TEST(Collection, WhatIsUnknownKeepsItsNodesTunnelAndBlocks) {
  Cluster cluster;
  cluster.assign({.owner = {"node1", "vm", {{"node", "node1"}}}, .v4 = 1});
  cluster.assign_tunnel("node1");
  cluster.assign({.owner = Cluster::owner("web", "node1"), .v6 = 1});
  EXPECT_EQ(cluster.collect_all().addresses, 1U) << "the pod's";
  EXPECT_TRUE(cluster.is_held("vxlan-tunnel-addr-node1"));
  EXPECT_EQ(check(cluster.store())->blocks, 2U) << "the empty one too";
}

// Two shares of one handle in the names of two nodes.
TEST(Collection, WhatContradictsItselfKeepsTheTunnelsOfAllItsNodes) {
  Cluster cluster;
  cluster.assign({.owner = {"node1", "both", {{"node", "node1"}}}, .v4 = 1});
  cluster.assign({.owner = {"node2", "both", {{"node", "node2"}}}, .v4 = 1});
  cluster.assign_tunnel("node1");
  cluster.assign_tunnel("node2");
  EXPECT_EQ(cluster.collect_all().addresses, 0U);
  EXPECT_TRUE(cluster.is_held("vxlan-tunnel-addr-node1"));
  EXPECT_TRUE(cluster.is_held("vxlan-tunnel-addr-node2"));
}

TEST(Collection, WhatHasNoHandleStays) {
  Cluster cluster;
  cluster.assign("web", "node1");
  const auto block = cluster.store().list({.resource = std::string(k_blocks)})->entries.at(0);
  std::string value = block.value;
  const std::string handle = R"("handle_id":"k8s-pod-network.web",)";
  const size_t at = value.find(handle);
  ASSERT_NE(at, value.npos) << value;
  ASSERT_TRUE(cluster.store().update(block.key, value.erase(at, handle.size()), block.revision));
  EXPECT_EQ(cluster.collect_all().addresses, 0U);
  EXPECT_EQ(check(cluster.store())->assigned, 1U);
}

TEST(Collection, OneAddressInUseKeepsAllOfItsHandle) {
  Cluster cluster;
  const std::string four =
      cluster.assign({.owner = Cluster::owner("web", "node1"), .v4 = 1, .v6 = 1});
  cluster.put_running_pod("web", "node9", four);
  EXPECT_EQ(cluster.collect_all().addresses, 0U);
  EXPECT_EQ(Ipam(cluster.store()).addresses_of(k_web)->size(), 2U);
}

TEST(Collection, ABlockThatCannotBeReadStaysAsItIs) {
  Cluster cluster;
  cluster.assign("web", "node1");
  cluster.assign({.owner = Cluster::owner("api", "node1"), .v6 = 1});
  const auto damage = [&](const store::Entry& entry) {
    std::string value = entry.value;
    const size_t at = value.find("\"unallocated\":[");
    value.insert(at + sizeof("\"unallocated\":[") - 1, "77,");
    return cluster.store().update(entry.key, value, entry.revision).value();
  };
  const auto blocks = cluster.store().list({.resource = std::string(k_blocks)}).value();
  const auto damaged = damage(blocks.entries.at(0));
  EXPECT_EQ(cluster.collect_all().addresses, 1U) << "work on the other goes on";
  EXPECT_EQ(cluster.store().get(damaged.key)->revision, damaged.revision);
  EXPECT_TRUE(cluster.has(std::string(k_affinities), "node1-10-0-0-" + damaged.key.name.substr(7)));
}

TEST(Collection, AWorkloadEndpointThatCannotBeReadStopsIt) {
  Cluster cluster;
  cluster.assign("web", "node1");
  cluster.scratch().put("workloadendpoints.projectcalico.org", "shop", "vm", "[]");
  const auto plan = plan_collection(cluster.store());
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, ::testing::HasSubstr("shop/vm"));
}

// A Calico Node of no Kubernetes node is whoever made it's to remove.
TEST(Collection, ANodeOfAnotherOrchestratorStays) {
  Cluster cluster;
  cluster.put_calico_node("baremetal", R"("bgp":{"ipv4Address":"192.0.2.9/24"})");
  cluster.assign_tunnel("baremetal");
  const auto collected = cluster.collect_all();
  EXPECT_EQ(collected.nodes + collected.addresses, 0U);
  EXPECT_TRUE(cluster.has("nodes.projectcalico.org", "baremetal"));
}

}  // namespace
}  // namespace margay::ipam
