// Tiers, the policies in them and staged policies: what is accepted, filled in and kept.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "api/calico.h"
#include "api/calico/tier.h"
#include "api/validation_case.h"

namespace margay::api {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

const Kind& kind(const char* name) { return *find_kind("projectcalico.org/v3", name); }

json::object prepared(const char* name, const std::string& manifest) {
  auto object = prepare_manifest(kind(name), manifest);
  EXPECT_TRUE(object) << manifest << ": " << object.error().message;
  return object ? std::move(object->object) : json::object();
}

void check(const char* name, const std::vector<ValidationCase>& cases) {
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    EXPECT_THAT(errors_of(kind(name), one.manifest), ElementsAreArray(one.errors));
  }
}

TEST(Tier, IsDefaulted) {
  EXPECT_EQ(prepared("Tier", "metadata: {name: security}").at("spec"),
            json::parse(R"({"order": 1000000, "defaultAction": "Deny"})"));
  EXPECT_EQ(
      prepared("Tier", "metadata: {name: s}\nspec: {order: 2.5, defaultAction: Pass}").at("spec"),
      json::parse(R"({"order": 2.5, "defaultAction": "Pass"})"));
}

TEST(Tier, IsChecked) {
  const std::string name = std::string(63, 'a');
  check(
      "Tier",
      {{"the longest name", "metadata: {name: " + name + "}", {}},
       {"a name with a dot",
        "metadata: {name: a.b}",
        {errors_of(kind("Tier"), "metadata: {name: a.b}").at(0)}},
       {"what names of Kubernetes' policies begin with",
        "metadata: {name: knp}",
        {"metadata.name: Invalid value: \"knp\": is what names of policies of others begin with"}},
       {"what names of OpenStack's begin with",
        "metadata: {name: ossg}",
        {"metadata.name: Invalid value: \"ossg\": is what names of policies of others begin "
         "with"}},
       {"an action that is none",
        "metadata: {name: a}\nspec: {defaultAction: Allow}",
        {"spec.defaultAction: Unsupported value: \"Allow\": supported values: \"Pass\", "
         "\"Deny\""}},
       {"tier default as it is", "metadata: {name: default}", {}},
       {"tier default elsewhere",
        "metadata: {name: default}\nspec: {order: 5, defaultAction: Pass}",
        {"spec.order: Invalid value: 5: of tier default must be 1000000",
         "spec.defaultAction: Invalid value: \"Pass\": of tier default must be Deny"}},
       {"tier kube-admin as it is",
        "metadata: {name: kube-admin}\nspec: {order: 1000, defaultAction: Pass}",
        {}},
       {"tier kube-baseline that denies",
        "metadata: {name: kube-baseline}\nspec: {order: 10000000}",
        {"spec.defaultAction: Invalid value: \"Deny\": of tier kube-baseline must be Pass"}}});
  EXPECT_THAT(errors_of(kind("Tier"), "metadata: {name: " + name + "b}"), testing::SizeIs(1));
}

TEST(PolicyTier, IsDefaultUnlessToldAndSaidInALabel) {
  for (const char* name : {"NetworkPolicy", "GlobalNetworkPolicy"}) {
    const auto plain = prepared(name, "metadata: {name: web, labels: {a: b}}");
    EXPECT_EQ(plain.at("spec").at("tier"), "default");
    EXPECT_EQ(plain.at("metadata").at("labels"),
              json::parse(R"({"a": "b", "projectcalico.org/tier": "default"})"));
    const auto tiered = prepared(
        name,
        "metadata: {name: ops.web, labels: {projectcalico.org/tier: other}}\nspec: {tier: ops}");
    EXPECT_EQ(tiered.at("metadata").at("labels"),
              json::parse(R"({"projectcalico.org/tier": "ops"})"));
  }
}

TEST(PolicyTier, BeginsTheName) {
  const std::string plain =
      "must be lower case letters, digits or '-', starting and ending with a letter or digit";
  check("GlobalNetworkPolicy",
        {{"of its tier", "metadata: {name: ops.web}\nspec: {tier: ops}", {}},
         {"a prefix", "metadata: {generateName: ops.}\nspec: {tier: ops}", {}},
         {"without it",
          "metadata: {name: web}\nspec: {tier: ops}",
          {"metadata.name: Invalid value: \"web\": must begin with \"ops.\" in tier ops"}},
         {"of another",
          "metadata: {name: dev.web}\nspec: {tier: ops}",
          {"metadata.name: Invalid value: \"dev.web\": must begin with \"ops.\" in tier ops"}},
         {"a prefix of another",
          "metadata: {generateName: dev.}\nspec: {tier: ops}",
          {"metadata.generateName: Invalid value: \"dev.\": must begin with \"ops.\" in tier ops"}},
         {"a tier's in tier default",
          "metadata: {name: ops.web}",
          {"metadata.name: Invalid value: \"ops.web\": must not begin with \"ops.\" unless "
           "spec.tier is ops"}},
         {"a tier's as a prefix in tier default",
          "metadata: {generateName: ops.}",
          {"metadata.generateName: Invalid value: \"ops.\": must not begin with \"ops.\" unless "
           "spec.tier is ops"}},
         {"a tier and no more",
          "metadata: {name: ops.}\nspec: {tier: ops}",
          {"metadata.name: Invalid value: \"ops.\": " + plain}},
         {"more than one dot",
          "metadata: {name: ops.a.b}\nspec: {tier: ops}",
          {"metadata.name: Invalid value: \"ops.a.b\": " + plain}}});
  EXPECT_THAT(errors_of(kind("NetworkPolicy"), "metadata: {name: a.b}\nspec: {tier: a.b}"),
              testing::Not(IsEmpty()))
      << "no tier has such a name";
}

TEST(PolicyTier, IsSaidByTheNameOfEachPolicyThatIsAccepted) {
  for (const auto& [name, tier] : {std::pair("web", "default"),
                                   {"knp.default.web", "default"},
                                   {"ossg.default.a.b", "default"},
                                   {"ops.web", "ops"},
                                   {"kube-admin.web", "kube-admin"}}) {
    EXPECT_EQ(calico::tier_of_name(name), tier);
    for (const char* said : {"default", "ops", "kube-admin", "ossg", "knp"}) {
      const auto errors = errors_of(kind("NetworkPolicy"), std::string("metadata: {name: ") + name +
                                                               "}\nspec: {tier: " + said + "}");
      EXPECT_EQ(errors.empty(), said == std::string(tier)) << name << " in " << said;
    }
  }
}

TEST(PolicyTier, DoesNotChange) {
  const auto& policies = kind("NetworkPolicy");
  const auto ops = prepared("NetworkPolicy", "metadata: {name: ops.web}\nspec: {tier: ops}");
  auto moved = ops;
  moved.at("spec").get_object()["tier"] = "default";
  const auto changed = check_update(policies, ops, moved);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().fields.at(0).message(),
            "spec.tier: Invalid value: \"default\": cannot be changed; it is ops");
  EXPECT_TRUE(check_update(policies, ops, ops));

  auto old = prepared("NetworkPolicy", "metadata: {name: web}");
  const auto now = old;
  old.at("spec").get_object().erase("tier");
  EXPECT_TRUE(check_update(policies, old, now)) << "stored before there were tiers";
}

TEST(StagedPolicy, IsWhatThePolicyWouldBe) {
  const auto set = prepared("StagedNetworkPolicy", "spec: {egress: [{action: Allow}]}");
  EXPECT_EQ(set.at("spec"),
            json::parse(R"~({"stagedAction": "Set", "tier": "default", "selector": "all()",
                             "types": ["Egress"], "egress": [{"action": "Allow"}]})~"));
  EXPECT_EQ(prepared("StagedKubernetesNetworkPolicy", "").at("spec"),
            json::parse(R"({"stagedAction": "Set", "podSelector": {},
                            "policyTypes": ["Ingress"]})"));
  check("StagedGlobalNetworkPolicy",
        {{"a policy's rules hold",
          "metadata: {name: web}\nspec: {doNotTrack: true}",
          {"spec.applyOnForward: Invalid value: false: must be true when preDNAT or doNotTrack "
           "is"}},
         {"and so do names",
          "metadata: {name: web}\nspec: {tier: ops}",
          {"metadata.name: Invalid value: \"web\": must begin with \"ops.\" in tier ops"}},
         {"an action that is none",
          "spec: {stagedAction: Learn}",
          {"spec.stagedAction: Unsupported value: \"Learn\": supported values: \"Set\", "
           "\"Delete\""}}});
}

TEST(StagedPolicy, ThatDeletesSaysNoMore) {
  EXPECT_EQ(prepared("StagedNetworkPolicy",
                     "metadata: {name: ops.a}\nspec: {stagedAction: Delete, tier: ops}")
                .at("spec"),
            json::parse(R"({"stagedAction": "Delete", "tier": "ops"})"));
  EXPECT_EQ(prepared("StagedKubernetesNetworkPolicy", "spec: {stagedAction: Delete}").at("spec"),
            json::parse(R"({"stagedAction": "Delete"})"));
  for (const char* name : {"StagedNetworkPolicy", "StagedGlobalNetworkPolicy"})
    EXPECT_THAT(errors_of(kind(name), "spec: {stagedAction: Delete, order: 5, selector: a == 'b'}"),
                testing::UnorderedElementsAre(
                    "spec.order: Forbidden: must not be set when stagedAction is Delete",
                    "spec.selector: Forbidden: must not be set when stagedAction is Delete"));
}

TEST(StagedPolicy, IsDecoded) {
  const auto policy = decode<StagedGlobalNetworkPolicy>(
      prepared("StagedGlobalNetworkPolicy",
               "metadata: {name: ops.a}\nspec: {tier: ops, order: 7, ingress: [{action: Pass}]}"));
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->spec.staged_action, "Set");
  EXPECT_EQ(policy->spec.tier, "ops");
  EXPECT_EQ(policy->spec.order, 7);
  ASSERT_EQ(policy->spec.ingress.size(), 1u);
  EXPECT_EQ(encode(*policy).at("spec"),
            json::parse(R"~({"tier": "ops", "order": 7, "ingress": [{"action": "Pass"}],
                             "selector": "all()", "types": ["Ingress"],
                             "stagedAction": "Set"})~"));
  const auto kubernetes = decode<StagedKubernetesNetworkPolicy>(
      prepared("StagedKubernetesNetworkPolicy",
               "spec: {podSelector: {matchLabels: {a: b}}, ingress: [{}]}"));
  ASSERT_TRUE(kubernetes) << kubernetes.error().message;
  EXPECT_EQ(kubernetes->spec.pod_selector.match_labels.at("a"), "b");
  EXPECT_EQ(kubernetes->spec.ingress.size(), 1u);
}

}  // namespace
}  // namespace margay::api
