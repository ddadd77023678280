#include "api/derived_names.h"

#include <gtest/gtest.h>

namespace margay::api {
namespace {

std::string refusal(const char* kind, json::object metadata) {
  const auto checked = check_not_derived(*find_kind("projectcalico.org/v3", kind),
                                         {{"metadata", std::move(metadata)}});
  return checked ? "" : checked.error().message;
}

TEST(DerivedNames, AreRefusedWhereTheServerMakesThem) {
  EXPECT_EQ(
      refusal("NetworkPolicy", {{"name", "knp.default.web"}}),
      "metadata.name: Invalid value: \"knp.default.web\": names that begin with knp. are those "
      "of Kubernetes NetworkPolicies");
  EXPECT_EQ(
      refusal("Profile", {{"name", "kns.default"}}),
      "metadata.name: Invalid value: \"kns.default\": names that begin with kns. are those of "
      "namespaces' profiles");
  EXPECT_EQ(
      refusal("Profile", {{"generateName", "ksa.default."}}),
      "metadata.generateName: Invalid value: \"ksa.default.\": names that begin with ksa. are "
      "those of service accounts' profiles");
}

TEST(DerivedNames, OthersAreLeftAlone) {
  EXPECT_EQ(refusal("NetworkPolicy", {{"name", "ossg.default.web"}}), "");
  EXPECT_EQ(refusal("NetworkPolicy", {{"name", "kns.web"}}), "");
  EXPECT_EQ(refusal("Profile", {{"name", "knp.web"}}), "");
  EXPECT_EQ(refusal("Profile", {{"name", "web"}}), "");
  EXPECT_EQ(refusal("GlobalNetworkPolicy", {{"name", "knp.default.web"}}), "");
}

TEST(DerivedNames, AKubernetesPolicyIsNoDerivedOne) {
  const json::object policy{{"metadata", {{"name", "knp.web"}}}};
  EXPECT_TRUE(check_not_derived(*find_kind("networking.k8s.io/v1", "NetworkPolicy"), policy));
}

}  // namespace
}  // namespace margay::api
