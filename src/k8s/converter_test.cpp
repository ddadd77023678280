#include "k8s/converter.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "api/kind.h"

namespace margay::k8s {
namespace {

using policy::Model;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A model that follows a converter.
class Followed {
 public:
  base::Result<Reading> set(const store::Key& key, std::string_view value) {
    auto reading = read_object(key, value);
    if (reading) apply(converter_.set(key, *reading));
    return reading;
  }
  Converter::Changes remove(const store::Key& key) { return apply(converter_.remove(key)); }
  const Model& model() const { return model_; }
  std::optional<store::Key> shadowed_by(const store::Key& key) const {
    return converter_.shadowed_by(key);
  }

 private:
  Converter::Changes apply(Converter::Changes changes) {
    for (const auto& change : changes) model_.apply(change);
    return changes;
  }

  Converter converter_;
  Model model_;
};

const store::Key k_pod{.resource = "pods", .ns = "shop", .name = "web"};

std::string pod_on(std::string_view node, std::string_view more = "") {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop"},)"
         R"("spec":{"nodeName":")" +
         std::string(node) + "\"" + std::string(more) +
         R"(,"containers":[{"name":"c","image":"i"}]},"status":{"podIP":"10.0.0.1"}})";
}

TEST(Objects, ComeAndGo) {
  Followed followed;
  ASSERT_TRUE(followed.set(k_pod, pod_on("node-a")));
  ASSERT_THAT(followed.model().workloads, SizeIs(1));
  EXPECT_EQ(followed.model().workloads.begin()->first.id(), "node-a/k8s/shop/web/eth0");
  EXPECT_THAT(followed.model().workloads.begin()->second.addresses, SizeIs(1));
  followed.remove(k_pod);
  EXPECT_EQ(followed.model().changes(), Model().changes());
  EXPECT_THAT(followed.remove(k_pod), IsEmpty()) << "gone is gone";
}

// A block of IPAM, of which each of `holders` has an address: the first 10.0.0.0, and so on.
std::string block_with(const std::vector<std::string>& holders) {
  std::string allocations, attributes;
  for (size_t i = 0; i < holders.size(); ++i) {
    const char* comma = i == 0 ? "" : ",";
    allocations += fmt::format("{}{}", comma, i);
    attributes += fmt::format(
        R"({}{{"handle_id":"h{}","secondary":{{"node":"node-a","namespace":"shop","pod":"{}"}}}})",
        comma, i, holders[i]);
  }
  return fmt::format(
      R"({{"apiVersion":"crd.projectcalico.org/v1","kind":"IPAMBlock","metadata":{{"name":"b"}},)"
      R"("spec":{{"cidr":"10.0.0.0/30","affinity":"host:node-a","strictAffinity":false,)"
      R"("allocations":[{}],"attributes":[{}],"unallocated":[]}}}})",
      allocations, attributes);
}

TEST(Objects, AnAddressThatOnlyAnnotationsSayCountsOnceIPAMGaveItToThePod) {
  const store::Key block{.resource = "ipamblocks.crd.projectcalico.org", .name = "b"};
  const store::Key lower{.resource = "ipamblocks.crd.projectcalico.org", .name = "a"};
  const std::string claims =
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop",)"
      R"("annotations":{"cni.projectcalico.org/podIPs":"10.0.0.1/32,192.0.2.7/32",)"
      R"("cni.projectcalico.org/floatingIPs":"[\"198.51.100.1\"]"}},)"
      R"("spec":{"nodeName":"node-a","containers":[{"name":"c","image":"i"}]}})";
  using Step = std::pair<store::Key, std::string>;  // no text: it goes
  struct Case {
    const char* name;
    std::vector<Step> steps;
    std::string addresses;
  };
  const std::vector<Case> cases = {
      {"nobody else says it", {{k_pod, claims}}, ""},
      {"IPAM gave it to this pod",
       {{block, block_with({"db", "web"})}, {k_pod, claims}},
       "10.0.0.1 198.51.100.1"},
      {"IPAM says so later",
       {{k_pod, claims}, {block, block_with({"db", "web"})}},
       "10.0.0.1 198.51.100.1"},
      {"IPAM gave it to another", {{k_pod, claims}, {block, block_with({"web", "db"})}}, ""},
      {"IPAM gives it to another now",
       {{k_pod, claims}, {block, block_with({"db", "web"})}, {block, block_with({"web", "db"})}},
       ""},
      {"the block has gone",
       {{block, block_with({"db", "web"})}, {k_pod, claims}, {block, ""}},
       ""},
      {"two blocks of one CIDR: the lower one speaks",
       {{lower, block_with({"db", "web"})}, {block, block_with({"web", "db"})}, {k_pod, claims}},
       "10.0.0.1 198.51.100.1"},
      {"whichever came first",
       {{block, block_with({"web", "db"})}, {k_pod, claims}, {lower, block_with({"db", "web"})}},
       "10.0.0.1 198.51.100.1"},
      {"and goes on when the other has gone",
       {{lower, block_with({"db", "web"})},
        {block, block_with({"web", "db"})},
        {k_pod, claims},
        {block, ""}},
       "10.0.0.1 198.51.100.1"},
      {"the status says another",
       {{block, block_with({"db"})}, {k_pod, pod_on("node-a")}},
       "10.0.0.1"},
      {"the pod has gone", {{k_pod, claims}, {k_pod, ""}, {block, block_with({"db", "web"})}}, ""},
  };
  for (const Case& c : cases) {
    Followed followed;
    for (const auto& [key, text] : c.steps) {
      if (text.empty())
        followed.remove(key);
      else
        ASSERT_TRUE(followed.set(key, text)) << c.name;
    }
    std::string addresses;
    for (const auto& [key, endpoint] : followed.model().workloads) {
      for (const auto& address : endpoint.addresses) addresses += address.to_string() + " ";
      for (const auto& ip : endpoint.floating_ips) addresses += ip.external.to_string() + " ";
    }
    if (!addresses.empty()) addresses.pop_back();
    EXPECT_EQ(addresses, c.addresses) << c.name;
  }
}

TEST(Objects, APodMadeAgainElsewhereLeavesNothingBehind) {
  Followed followed;
  ASSERT_TRUE(followed.set(k_pod, pod_on("node-a")));
  ASSERT_TRUE(followed.set(k_pod, pod_on("node-b")));
  ASSERT_THAT(followed.model().workloads, SizeIs(1));
  EXPECT_EQ(followed.model().workloads.begin()->first.node, "node-b");
}

TEST(Objects, APodThatMovesToTheHostsNetworkLosesItsEndpoint) {
  Followed followed;
  ASSERT_TRUE(followed.set(k_pod, pod_on("node-a")));
  ASSERT_TRUE(followed.set(k_pod, pod_on("node-a", R"(,"hostNetwork":true)")));
  EXPECT_THAT(followed.model().workloads, IsEmpty());
}

TEST(Objects, WhatCannotBeReadChangesNothing) {
  Followed followed;
  const store::Key key{.resource = "globalnetworkpolicies.projectcalico.org", .name = "p"};
  const auto with = [](std::string_view spec) {
    return R"({"apiVersion":"projectcalico.org/v3","kind":"GlobalNetworkPolicy",)"
           R"("metadata":{"name":"p"},"spec":)" +
           std::string(spec) + "}";
  };
  ASSERT_TRUE(followed.set(key, with(R"j({"selector":"has(a)"})j")));
  for (const char* spec : {R"j({"selector":"has("})j", R"({"order":"first"})"}) {
    const auto refused = followed.set(key, with(spec));
    ASSERT_FALSE(refused) << spec;
    EXPECT_THAT(refused.error().message, HasSubstr("spec.")) << spec;
  }
  EXPECT_FALSE(followed.set(key, "{"));
  EXPECT_THAT(followed.model().policies, SizeIs(1));
  followed.remove(key);
  EXPECT_THAT(followed.model().policies, IsEmpty());
}

// ---- several objects, one key -------------------------------------------------------------------

// An object, and what of it can be told in the model.
struct Claimant {
  store::Key key;
  std::string value;
  std::string says;
};

Claimant policy_object(const char* resource, const char* version, const char* name,
                       const char* more) {
  return {.key = {.resource = resource, .ns = "shop", .name = name},
          .value = fmt::format(R"({{"apiVersion":"{}","kind":"NetworkPolicy",)"
                               R"("metadata":{{"name":"{}","namespace":"shop"}},"spec":{{{}}}}})",
                               version, name, more),
          .says = {}};
}
Claimant calico_policy(const char* name, int order) {
  auto made = policy_object("networkpolicies.projectcalico.org", "projectcalico.org/v3", name,
                            fmt::format(R"("order":{})", order).c_str());
  made.says = fmt::format("{}", order);
  return made;
}
Claimant kubernetes_policy_named(const char* name) {
  auto made = policy_object("networkpolicies.networking.k8s.io", "networking.k8s.io/v1", name,
                            R"("podSelector":{})");
  made.says = "1000";
  return made;
}
Claimant profile_object(const char* name, const char* label) {
  return {.key = {.resource = "profiles.projectcalico.org", .ns = "", .name = name},
          .value = fmt::format(R"({{"apiVersion":"projectcalico.org/v3","kind":"Profile",)"
                               R"("metadata":{{"name":"{}"}},)"
                               R"("spec":{{"labelsToApply":{{"from":"{}"}}}}}})",
                               name, label),
          .says = label};
}
Claimant namespace_object(const char* name) {
  return {.key = {.resource = "namespaces", .ns = "", .name = name},
          .value = fmt::format(
              R"({{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{}"}}}})", name),
          .says = name};
}
Claimant account_object(const char* name) {
  return {.key = {.resource = "serviceaccounts", .ns = "shop", .name = name},
          .value = fmt::format(R"({{"apiVersion":"v1","kind":"ServiceAccount",)"
                               R"("metadata":{{"name":"{}","namespace":"shop"}}}})",
                               name),
          .says = name};
}
Claimant pod_object() { return {.key = k_pod, .value = pod_on("node-a"), .says = "10.0.0.1"}; }
Claimant endpoint_object(const char* name, const char* address) {
  return {.key = {.resource = "workloadendpoints.projectcalico.org", .ns = "shop", .name = name},
          .value = fmt::format(R"({{"apiVersion":"projectcalico.org/v3","kind":"WorkloadEndpoint",)"
                               R"("metadata":{{"name":"{}","namespace":"shop"}},"spec":{{)"
                               R"("node":"node-a","orchestrator":"k8s","pod":"web",)"
                               R"("endpoint":"eth0","ipNetworks":["{}"]}}}})",
                               name, address),
          .says = address};
}

// What the one object says that the model has; empty when there is none.
std::string told(const Model& model) {
  std::string all;
  for (const auto& [key, policy] : model.policies) all += fmt::format("{}", *policy.order);
  for (const auto& [key, endpoint] : model.workloads)
    for (const auto& address : endpoint.addresses) all += address.to_string();
  for (const auto& [key, profile] : model.profiles)
    for (const auto& [label, value] : profile.labels_to_apply) all += value;
  return all;
}

TEST(Owners, OfOneKeyAreTheSameWhateverTheOrderAndARemovalUncoversTheNext) {
  struct Case {
    const char* name;
    std::vector<Claimant> strongest_first;
  };
  const std::vector<Case> cases = {
      {"a policy, and one with the tier in its name",
       {calico_policy("web", 1), calico_policy("default.web", 2)}},
      {"a Kubernetes policy, and others with its name",
       {kubernetes_policy_named("web"), calico_policy("default.knp.default.web", 1),
        calico_policy("knp.default.web", 2)}},
      {"a pod, and endpoints with its name",
       {pod_object(), endpoint_object("a", "10.0.0.7"), endpoint_object("b", "10.0.0.8")}},
      {"a namespace, and a profile with its name",
       {namespace_object("shop"), profile_object("kns.shop", "profile")}},
      {"a service account, and a profile with its name",
       {account_object("a.b"), profile_object("ksa.shop.a.b", "profile")}},
  };
  for (const auto& [name, strongest_first] : cases) {
    std::vector<size_t> order(strongest_first.size());
    std::iota(order.begin(), order.end(), size_t{0});
    do {
      Followed followed;
      std::set<size_t> there;
      const auto expect_the_strongest = [&] {
        EXPECT_EQ(told(followed.model()), there.empty() ? "" : strongest_first[*there.begin()].says)
            << name;
      };
      for (const size_t i : order) {
        ASSERT_TRUE(followed.set(strongest_first[i].key, strongest_first[i].value)) << name;
        there.insert(i);
        expect_the_strongest();
        const auto owner = followed.shadowed_by(strongest_first[i].key);
        EXPECT_EQ(owner.value_or(strongest_first[i].key), strongest_first[*there.begin()].key);
      }
      for (const size_t i : order) {
        followed.remove(strongest_first[i].key);
        there.erase(i);
        expect_the_strongest();
      }
      EXPECT_THAT(followed.model().changes(), IsEmpty()) << name;
    } while (std::ranges::next_permutation(order).found);
  }
}

TEST(Owners, AShadowedObjectThatChangesIsUncoveredAsItIsNow) {
  Followed followed;
  ASSERT_TRUE(followed.set(calico_policy("web", 1).key, calico_policy("web", 1).value));
  const Claimant before = calico_policy("default.web", 2), now = calico_policy("default.web", 3);
  ASSERT_TRUE(followed.set(before.key, before.value));
  ASSERT_TRUE(followed.set(now.key, now.value));
  EXPECT_EQ(told(followed.model()), "1");
  followed.remove(calico_policy("web", 1).key);
  EXPECT_EQ(told(followed.model()), "3");
}

TEST(Objects, WarningsSayWhatWasLeftOut) {
  Followed followed;
  const auto reading = followed.set({"networkpolicies.networking.k8s.io", "shop", "p"},
                                    R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy",
                       "metadata":{"name":"p","namespace":"shop"},
                       "spec":{"podSelector":{},"ingress":[
                         {"from":[{"ipBlock":{"cidr":"10.0.0.0"}}]},
                         {"ports":[{"port":80,"endPort":79}]}]}})");
  ASSERT_TRUE(reading);
  EXPECT_THAT(reading->warnings, ElementsAre(HasSubstr("spec.ingress[1].ports[0].endPort")));
  ASSERT_TRUE(reading->origins);
  EXPECT_THAT(reading->origins->ingress, ElementsAre(0));
}

TEST(Objects, OfEveryResourceHaveTheirPlace) {
  struct Sample {
    const char* api_version;
    const char* kind;
    const char* ns;
    const char* spec;
  };
  const std::map<std::string, Sample> samples = {
      {"namespaces", {"v1", "Namespace", "", "{}"}},
      {"serviceaccounts", {"v1", "ServiceAccount", "n", "{}"}},
      {"pods", {"v1", "Pod", "n", R"({"containers":[]})"}},
      {"networkpolicies.networking.k8s.io",
       {"networking.k8s.io/v1", "NetworkPolicy", "n", R"({"podSelector":{}})"}},
      {"networkpolicies.projectcalico.org", {"projectcalico.org/v3", "NetworkPolicy", "n", "{}"}},
      {"globalnetworkpolicies.projectcalico.org",
       {"projectcalico.org/v3", "GlobalNetworkPolicy", "", "{}"}},
      {"profiles.projectcalico.org", {"projectcalico.org/v3", "Profile", "", "{}"}},
      {"networksets.projectcalico.org", {"projectcalico.org/v3", "NetworkSet", "n", "{}"}},
      {"globalnetworksets.projectcalico.org",
       {"projectcalico.org/v3", "GlobalNetworkSet", "", "{}"}},
      {"workloadendpoints.projectcalico.org",
       {"projectcalico.org/v3", "WorkloadEndpoint", "n",
        R"({"node":"a","orchestrator":"k8s","workload":"w","endpoint":"eth0"})"}},
      {"hostendpoints.projectcalico.org",
       {"projectcalico.org/v3", "HostEndpoint", "", R"({"node":"a","interfaceName":"*"})"}},
      {"ippools.projectcalico.org",
       {"projectcalico.org/v3", "IPPool", "", R"({"cidr":"10.0.0.0/16"})"}},
      {"nodes.projectcalico.org", {"projectcalico.org/v3", "Node", "", "{}"}},
      {"ipamblocks.crd.projectcalico.org",
       {"crd.projectcalico.org/v1", "IPAMBlock", "",
        R"({"cidr":"10.0.0.0/26","allocations":[],"unallocated":[],"attributes":[]})"}},
      {"tiers.projectcalico.org", {"projectcalico.org/v3", "Tier", "", "{}"}},
      {"stagednetworkpolicies.projectcalico.org",
       {"projectcalico.org/v3", "StagedNetworkPolicy", "n", "{}"}},
      {"stagedglobalnetworkpolicies.projectcalico.org",
       {"projectcalico.org/v3", "StagedGlobalNetworkPolicy", "", "{}"}},
      {"stagedkubernetesnetworkpolicies.projectcalico.org",
       {"projectcalico.org/v3", "StagedKubernetesNetworkPolicy", "n", R"({"podSelector":{}})"}},
      {"services", {"v1", "Service", "n", R"({"clusterIP":"10.96.0.1","ports":[{"port":80}]})"}},
      {"endpointslices.discovery.k8s.io",
       {"discovery.k8s.io/v1", "EndpointSlice", "n", "{},\"addressType\":\"IPv4\""}},
  };
  auto all = resources();
  for (const auto& more : {service_resources(), later_resources(), staged_resources()})
    all.insert(all.end(), more.begin(), more.end());
  for (const std::string& resource : all) {
    const auto sample = samples.find(resource);
    ASSERT_NE(sample, samples.end()) << resource << " has no sample";
    const auto& [api_version, kind, ns, spec] = sample->second;
    EXPECT_NE(api::find_resource(resource), nullptr) << resource;
    const store::Key key{.resource = resource, .ns = ns, .name = "x"};
    const std::string value = std::string(R"({"apiVersion":")") + api_version + R"(","kind":")" +
                              kind + R"(","metadata":{"name":"x","namespace":")" + ns +
                              R"(","labels":{"kubernetes.io/service-name":"s"}},"spec":)" + spec +
                              "}";
    Followed followed;
    const auto reading = followed.set(key, value);
    ASSERT_TRUE(reading) << resource << ": " << reading.error().message;
    EXPECT_THAT(followed.model().changes(), SizeIs(1)) << resource;
    followed.remove(key);
    EXPECT_THAT(followed.model().changes(), IsEmpty()) << resource;
  }
}

// Whoever may write a pod's annotations should not write the log of every node.
TEST(Objects, WarnAFewTimes) {
  std::string ips;
  for (int i = 0; i < 1'000; ++i) ips += "x,";
  const auto reading = read_object(
      k_pod, R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop",)"
             R"("annotations":{"cni.projectcalico.org/podIPs":")" +
                 ips +
                 R"("}},"spec":{"nodeName":"node-a","containers":[{"name":"c","image":"i"}]}})");
  ASSERT_TRUE(reading);
  EXPECT_LE(reading->warnings.size(), 11u);
  EXPECT_THAT(reading->warnings.back(), testing::HasSubstr("warnings more"));
}

TEST(Objects, OfOtherResourcesChangeNothing) {
  Followed followed;
  ASSERT_TRUE(followed.set({"configmaps", "shop", "x"}, "{}"));
  EXPECT_THAT(followed.model().changes(), IsEmpty());
}

TEST(Objects, TheDefaultAllowProfileIsAlwaysThere) {
  Model model;
  for (const auto& change : built_in()) model.apply(change);
  ASSERT_THAT(model.profiles, SizeIs(1));
  EXPECT_EQ(model.profiles.begin()->first, "projectcalico-default-allow");
  EXPECT_THAT(model.profiles.begin()->second.ingress, ElementsAre(policy::Rule{}));
}

std::string of_kind(const std::string& kind, const std::string& name, const std::string& spec) {
  return R"({"apiVersion":"projectcalico.org/v3","kind":")" + kind + R"(","metadata":{"name":")" +
         name + R"(","namespace":"shop"},"spec":)" + spec + "}";
}

// Whatever the store says of them: with them a model is as v3.19's.
TEST(Objects, ThreeTiersAreAlwaysThereAsTheyAre) {
  Model model;
  for (const auto& change : built_in()) model.apply(change);
  const auto tiers = model.tiers;
  ASSERT_THAT(tiers, SizeIs(3));
  EXPECT_EQ(tiers.at("default"), (policy::Tier{"default", 1e6, policy::Action::deny}));
  EXPECT_EQ(tiers.at("kube-admin"), (policy::Tier{"kube-admin", 1e3, policy::Action::pass}));
  EXPECT_EQ(tiers.at("kube-baseline"), (policy::Tier{"kube-baseline", 1e7, policy::Action::pass}));
  Followed followed;
  for (const auto& [name, tier] : tiers) {
    ASSERT_TRUE(followed.set({"tiers.projectcalico.org", "", name},
                             of_kind("Tier", name, R"({"order":1,"defaultAction":"Pass"})")));
    EXPECT_THAT(followed.remove({"tiers.projectcalico.org", "", name}), IsEmpty()) << name;
  }
  EXPECT_THAT(followed.model().tiers, IsEmpty()) << "no object changes them";
}

TEST(Objects, APolicyIsInTheTierThatItSays) {
  Followed followed;
  const auto set = [&](const std::string& name, const std::string& spec) {
    const store::Key key{"networkpolicies.projectcalico.org", "shop", name};
    EXPECT_TRUE(followed.set(key, of_kind("NetworkPolicy", name, spec)));
    return followed.shadowed_by(key).has_value();
  };
  EXPECT_FALSE(set("web", "{}"));
  EXPECT_FALSE(set("ops.web", R"({"tier":"ops"})"));
  EXPECT_FALSE(set("dev.web", R"({"tier":"dev"})"));
  EXPECT_THAT(followed.model().policies, SizeIs(3)) << "equal names of different tiers";
  EXPECT_TRUE(followed.model().policies.contains({"ops", "shop", "web"}));
  EXPECT_EQ((policy::PolicyKey{"ops", "shop", "web"}).id(), "shop/ops.web");
  EXPECT_EQ((policy::PolicyKey{"ops", "shop", "web"}).stored_id(), "shop/ops.web");
  EXPECT_EQ((policy::PolicyKey{"ops", "", "knp.a"}).stored_id(), "ops.knp.a");

  EXPECT_FALSE(set("knp.default.web", R"({"tier":"ops"})")) << "no Kubernetes policy is in a tier";
  EXPECT_TRUE(set("default.web", "{}")) << "of one tier they are two for one place";
}

TEST(Objects, OfATierThatMovedTakeTheOldPlaceWithThem) {
  Followed followed;
  const store::Key key{"globalnetworkpolicies.projectcalico.org", "", "ops.web"};
  ASSERT_TRUE(followed.set(key, of_kind("GlobalNetworkPolicy", "ops.web", R"({"tier":"ops"})")));
  ASSERT_TRUE(followed.set(key, of_kind("GlobalNetworkPolicy", "ops.web", "{}")));
  EXPECT_THAT(followed.model().policies, SizeIs(1));
  followed.remove(key);
  EXPECT_THAT(followed.model().policies, IsEmpty());
}

TEST(Objects, StagedOnesAreNoPolicies) {
  Followed followed;
  const auto set = [&](const char* resource, const char* kind, const std::string& name,
                       const std::string& spec) {
    EXPECT_TRUE(followed.set({std::string(resource) + ".projectcalico.org", "shop", name},
                             of_kind(kind, name, spec)));
  };
  set("stagednetworkpolicies", "StagedNetworkPolicy", "ops.a",
      R"({"tier":"ops","order":3,"ingress":[{"action":"Deny"}]})");
  set("stagednetworkpolicies", "StagedNetworkPolicy", "b", R"({"stagedAction":"Delete"})");
  set("stagedkubernetesnetworkpolicies", "StagedKubernetesNetworkPolicy", "c",
      R"({"podSelector":{}})");
  EXPECT_THAT(followed.model().policies, IsEmpty());
  const auto& staged = followed.model().staged_policies;
  ASSERT_THAT(staged, SizeIs(3));
  const auto& a = staged.at({"ops", "shop", "a"}).policy;
  ASSERT_TRUE(a);
  EXPECT_EQ(a->order, 3);
  EXPECT_THAT(a->ingress, SizeIs(1));
  EXPECT_EQ(staged.at({"default", "shop", "b"}).policy, std::nullopt);
  EXPECT_EQ(staged.at({"default", "shop", "knp.default.c"}).policy->order, 1000);
}

TEST(Objects, APolicyOfATierThatCannotBeReadDeniesThere) {
  const auto reading = isolating({"networkpolicies.projectcalico.org", "shop", "ops.web"});
  ASSERT_TRUE(reading);
  const auto& change =
      std::get<policy::Change<policy::PolicyKey, policy::Policy>>(*reading->change);
  EXPECT_EQ(change.key, (policy::PolicyKey{"ops", "shop", "web"}));
  const policy::Rule deny{.action = policy::Action::deny};
  EXPECT_THAT(change.value->ingress, ElementsAre(deny)) << "the tier may pass";
  EXPECT_THAT(change.value->egress, ElementsAre(deny));
  EXPECT_EQ(isolating({"stagednetworkpolicies.projectcalico.org", "shop", "ops.web"}),
            std::nullopt);
}

}  // namespace
}  // namespace margay::k8s
