#pragma once

// A small cluster for tests of what is collected: nodes, pods and what they hold, in a store of the
// test's own.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ipam/check.h"
#include "ipam/collection.h"
#include "ipam/ipam.h"
#include "ipam/testing/scratch_store.h"

namespace margay::ipam::testing {

class Cluster {
 public:
  Cluster() {
    scratch_.add_pool({.name = "four", .cidr = "10.0.0.0/24", .block_size = 28});
    scratch_.add_pool({.name = "six", .cidr = "fd00:10::/112", .block_size = 124});
  }

  store::Store& store() { return scratch_.get(); }
  ScratchStore& scratch() { return scratch_; }

  void add_node(const std::string& name) {
    scratch_.add_node(name);
    put_calico_node(name,
                    fmt::format(R"("orchRefs":[{{"orchestrator":"k8s","nodeName":"{}"}}])", name));
  }
  void put_calico_node(const std::string& name, const std::string& spec) {
    scratch_.put("nodes.projectcalico.org", "", name,
                 fmt::format(R"({{"apiVersion":"projectcalico.org/v3","kind":"Node",
                                 "metadata":{{"name":"{}"}},"spec":{{{}}}}})",
                             name, spec));
  }
  // As `kubectl delete node` does: the Calico Node stays.
  void remove_kubernetes_node(const std::string& name) { scratch_.remove("nodes", "", name); }

  // `more` of the pod, as JSON fields after its metadata.
  void put_pod(const std::string& name, const std::string& more = R"("spec":{"nodeName":"node1"})",
               const std::string& annotations = "{}") {
    scratch_.put("pods", "shop", name,
                 fmt::format(R"({{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"{}",
                                 "namespace":"shop","annotations":{}}},{}}})",
                             name, annotations, more));
  }
  void put_running_pod(const std::string& name, const std::string& node,
                       const std::string& address) {
    put_pod(name, fmt::format(R"("spec":{{"nodeName":"{}"}},
                                 "status":{{"podIP":"{}","podIPs":[{{"ip":"{}"}}]}})",
                              node, address, address));
  }
  void remove_pod(const std::string& name) { scratch_.remove("pods", "shop", name); }

  static std::string handle(const std::string& pod) { return "k8s-pod-network." + pod; }
  static Owner owner(const std::string& pod, const std::string& node) {
    return {.host = node,
            .handle_id = handle(pod),
            .attributes = {{"node", node}, {"namespace", "shop"}, {"pod", pod}}};
  }
  // What the CNI plugin does for a pod's container. The address as text.
  std::string assign(const std::string& pod, const std::string& node) {
    return assign({.owner = owner(pod, node), .v4 = 1});
  }
  std::string assign_tunnel(const std::string& node,
                            const std::string& type = "vxlanTunnelAddress") {
    return assign({.owner = {.host = node,
                             .handle_id = "vxlan-tunnel-addr-" + node,
                             .attributes = {{"node", node}, {"type", type}}},
                   .v4 = 1});
  }
  std::string assign(const AssignRequest& request) {
    const auto assigned = Ipam(store()).assign(request);
    if (!assigned) ADD_FAILURE() << assigned.error().message;
    return assigned ? assigned->front().to_string() : "";
  }

  bool is_held(const std::string& handle_id) {
    return !Ipam(store()).readable_addresses_of(handle_id).value().empty();
  }
  bool has(const std::string& resource, const std::string& name) {
    return store().get({resource, "", name}).has_value();
  }

  // Everything that could be taken: orphans as if their time had come.
  Collected collect_all() {
    const auto plan = plan_collection(store());
    if (!plan) ADD_FAILURE() << plan.error().message;
    auto collected = collect(store(), plan.value_or(CollectionPlan{}));
    if (!collected.error) ADD_FAILURE() << collected.error.error().message;
    return collected;
  }

 private:
  ScratchStore scratch_;
};

}  // namespace margay::ipam::testing
