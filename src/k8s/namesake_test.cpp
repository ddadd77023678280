#include "k8s/namesake.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "api/kind.h"
#include "k8s/objects.h"
#include "k8s/resources.h"

namespace margay::k8s {
namespace {

struct Case {
  store::Key object;
  std::string qualifier;
  ModelKey key;
};

template <typename Change, typename Key>
ModelKey key_of_change(Key key) {
  return key_of(Change{std::move(key), std::nullopt});
}

using PolicyChange = policy::Change<policy::PolicyKey, policy::Policy>;
using StagedChange = policy::Change<policy::PolicyKey, policy::StagedPolicy>;
using TierChange = policy::Change<std::string, policy::Tier>;
using ProfileChange = policy::Change<std::string, policy::Profile>;
using WorkloadChange = policy::Change<policy::WorkloadKey, policy::WorkloadEndpoint>;
using HostEndpointChange = policy::Change<policy::HostEndpointKey, policy::HostEndpoint>;
using SetChange = policy::Change<policy::NetworkSetKey, policy::NetworkSet>;

store::Key object(std::string_view resource, std::string ns, std::string name) {
  return {std::string(resource), std::move(ns), std::move(name)};
}

TEST(Namesake, OfAKeyIsTheObjectItIsNamedForAndTheReverse) {
  const std::vector<Case> cases = {
      {object(k_pods, "shop", "web"), "node-a",
       key_of_change<WorkloadChange>(policy::WorkloadKey{"node-a", "k8s", "shop/web", "eth0"})},
      {object(k_policies, "shop", "web"), "default",
       key_of_change<PolicyChange>(policy::PolicyKey{"default", "shop", "web"})},
      {object(k_kubernetes_policies, "shop", "web"), "default",
       key_of_change<PolicyChange>(policy::PolicyKey{"default", "shop", "knp.default.web"})},
      {object(k_global_policies, "", "ops.knp.default.web"), "ops",
       key_of_change<PolicyChange>(policy::PolicyKey{"ops", "", "knp.default.web"})},
      {object(k_policies, "shop", "ops.web"), "ops",
       key_of_change<PolicyChange>(policy::PolicyKey{"ops", "shop", "web"})},
      {object(k_policies, "shop", "ops.knp.default.web"), "ops",
       key_of_change<PolicyChange>(policy::PolicyKey{"ops", "shop", "knp.default.web"})},
      {object(k_staged_policies, "shop", "web"), "default",
       key_of_change<StagedChange>(policy::PolicyKey{"default", "shop", "web"})},
      {object(k_staged_policies, "shop", "ops.web"), "ops",
       key_of_change<StagedChange>(policy::PolicyKey{"ops", "shop", "web"})},
      {object(k_staged_global_policies, "", "web"), "default",
       key_of_change<StagedChange>(policy::PolicyKey{"default", "", "web"})},
      {object(k_staged_kubernetes_policies, "shop", "web"), "default",
       key_of_change<StagedChange>(policy::PolicyKey{"default", "shop", "knp.default.web"})},
      {object(k_tiers, "", "ops"), "", key_of_change<TierChange>(std::string("ops"))},
      {object(k_namespaces, "", "shop"), "", key_of_change<ProfileChange>(std::string("kns.shop"))},
      {object(k_service_accounts, "shop", "a.b"), "",
       key_of_change<ProfileChange>(std::string("ksa.shop.a.b"))},
      {object(k_profiles, "", "open"), "", key_of_change<ProfileChange>(std::string("open"))},
      {object(k_host_endpoints, "", "eth0"), "node-a",
       key_of_change<HostEndpointChange>(policy::HostEndpointKey{"node-a", "eth0"})},
      {object(k_network_sets, "shop", "s"), "",
       key_of_change<SetChange>(policy::NetworkSetKey{"shop", "s"})},
      {object(k_global_network_sets, "", "s"), "",
       key_of_change<SetChange>(policy::NetworkSetKey{"", "s"})},
  };
  for (const auto& [object, qualifier, key] : cases) {
    EXPECT_EQ(namesake_of(key), object) << object.resource;
    EXPECT_EQ(qualifier_of(key), qualifier) << object.resource;
    EXPECT_EQ(key_named_for(object, qualifier), key) << object.resource;
  }
}

// Both directions agree for every resource, also for names that look like another's.
TEST(Namesake, BothDirectionsAgreeOnEveryNameOfEveryResource) {
  const std::vector<std::string> names = {"web",
                                          "default.web",
                                          "knp.default.web",
                                          "default.knp.default.web",
                                          "ossg.default.web",
                                          "kns.shop",
                                          "ksa.shop.a",
                                          "ksa.shop",
                                          "kns.",
                                          "knp.default.",
                                          "a.b",
                                          "q.web",
                                          "q.knp.default.web",
                                          "q.",
                                          "q"};
  auto all = resources();
  for (const auto& more : {service_resources(), later_resources(), staged_resources()})
    all.insert(all.end(), more.begin(), more.end());
  size_t named = 0;
  for (const std::string& resource : all)
    for (const std::string& name : names)
      for (const char* qualifier : {"q", "default"}) {
        const auto of =
            object(resource, api::find_resource(resource)->namespaced ? "shop" : "", name);
        const auto key = key_named_for(of, qualifier);
        if (!key) continue;
        EXPECT_EQ(namesake_of(*key), of) << resource << " " << name;
        EXPECT_EQ(key_named_for(of, qualifier_of(*key)), key) << resource << " " << name;
        ++named;
      }
  EXPECT_GT(named, all.size() * names.size());
}

TEST(Namesake, SomeKeysHaveNone) {
  const std::vector<ModelKey> keys = {
      key_of_change<WorkloadChange>(policy::WorkloadKey{"a", "cni", "shop/web", "eth0"}),
      key_of_change<WorkloadChange>(policy::WorkloadKey{"a", "k8s", "shop/web", "eth1"}),
      key_of_change<WorkloadChange>(policy::WorkloadKey{"a", "k8s", "web", "eth0"}),
      key_of_change<ProfileChange>(std::string("ksa.shop")),
      key_of_change<policy::Change<policy::Prefix, policy::Block>>(policy::Prefix()),
  };
  for (const auto& key : keys) EXPECT_EQ(namesake_of(key), std::nullopt) << key.index();
  EXPECT_EQ(key_named_for(object(k_profiles, "", "kns.shop"), ""), std::nullopt);
  EXPECT_EQ(key_named_for(object(k_policies, "shop", "knp.default.web"), "default"), std::nullopt);
  EXPECT_EQ(key_named_for(object(k_policies, "shop", "web"), "ops"), std::nullopt);
  EXPECT_EQ(key_named_for(object(k_kubernetes_policies, "shop", "web"), "ops"), std::nullopt);
  EXPECT_EQ(key_named_for(object(k_workload_endpoints, "shop", "web"), "node-a"), std::nullopt);
  EXPECT_EQ(key_named_for(object(k_blocks, "", "10-0-0-0-26"), ""), std::nullopt);
}

}  // namespace
}  // namespace margay::k8s
