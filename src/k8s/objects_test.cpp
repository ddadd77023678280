#include "k8s/objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  };
  for (const std::string& resource : resources()) {
    const auto sample = samples.find(resource);
    ASSERT_NE(sample, samples.end()) << resource << " has no sample";
    const auto& [api_version, kind, ns, spec] = sample->second;
    EXPECT_NE(api::find_resource(resource), nullptr) << resource;
    const store::Key key{.resource = resource, .ns = ns, .name = "x"};
    const std::string value = std::string(R"({"apiVersion":")") + api_version + R"(","kind":")" +
                              kind + R"(","metadata":{"name":"x","namespace":")" + ns +
                              R"("},"spec":)" + spec + "}";
    Followed followed;
    const auto reading = followed.set(key, value);
    ASSERT_TRUE(reading) << resource << ": " << reading.error().message;
    EXPECT_THAT(followed.model().changes(), SizeIs(1)) << resource;
    followed.remove(key);
    EXPECT_THAT(followed.model().changes(), IsEmpty()) << resource;
  }
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

}  // namespace
}  // namespace margay::k8s
