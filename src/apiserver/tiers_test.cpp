// Tiers in the API: those that always exist, those that policies are in, and those that go.

#include <gmock/gmock.h>

#include "apiserver/router_fixture.h"

namespace margay::apiserver {
namespace {

using testing::HasSubstr;

constexpr auto k_tiers = "/apis/projectcalico.org/v3/tiers";
constexpr auto k_policies = "/apis/projectcalico.org/v3/namespaces/default/networkpolicies";
constexpr auto k_global = "/apis/projectcalico.org/v3/globalnetworkpolicies";
constexpr auto k_staged = "/apis/projectcalico.org/v3/stagedglobalnetworkpolicies";

std::string in_tier(const std::string& tier, const std::string& name) {
  return R"({"metadata":{"name":")" + name + R"("},"spec":{"tier":")" + tier + R"("}})";
}
std::string at(const char* collection, const std::string& name) {
  return std::string(collection) + "/" + name;
}

class TiersTest : public RouterFixture {
 protected:
  TiersTest() { EXPECT_EQ(post(k_tiers, R"({"metadata":{"name":"ops"}})").code(), 201); }
};

TEST_F(TiersTest, ThreeAlwaysExist) {
  const auto action = [&](const char* name) {
    return get(at(k_tiers, name)).text({"spec", "defaultAction"});
  };
  EXPECT_EQ(action("kube-admin"), "Pass");
  EXPECT_EQ(action("default"), "Deny");
  EXPECT_EQ(action("kube-baseline"), "Pass");
  EXPECT_TRUE(restore_tiers(*writes_)) << "again";
  for (const char* name : {"kube-admin", "default", "kube-baseline"}) {
    const auto removed = remove(at(k_tiers, name));
    EXPECT_EQ(removed.code(), 403);
    EXPECT_THAT(removed.text({"message"}), HasSubstr("this tier may not be deleted"));
    EXPECT_EQ(patch(at(k_tiers, name), "merge-patch+json", R"({"spec":{"order":3}})").code(), 422);
    EXPECT_EQ(
        patch(at(k_tiers, name), "merge-patch+json", R"({"spec":{"defaultAction":"Deny"}})").code(),
        name == std::string("default") ? 200 : 422);
  }
}

TEST_F(TiersTest, OneThatIsMissingIsMadeAnew) {
  ASSERT_TRUE(store_->remove({"tiers.projectcalico.org", {}, "kube-admin"}, {}));
  EXPECT_EQ(post(k_global, in_tier("kube-admin", "kube-admin.a")).code(), 201)
      << "it exists whatever the store says";
  ASSERT_TRUE(restore_tiers(*writes_));
  EXPECT_EQ(get(at(k_tiers, "kube-admin")).code(), 200);
}

TEST_F(TiersTest, APolicyNeedsItsTier) {
  const auto refused = post(k_policies, in_tier("nowhere", "nowhere.web"));
  EXPECT_EQ(refused.code(), 404);
  EXPECT_THAT(refused.text({"message"}),
              HasSubstr("tiers.projectcalico.org \"nowhere\" not found"));
  EXPECT_EQ(get(at(k_policies, "nowhere.web")).code(), 404);
  EXPECT_EQ(post(k_policies, in_tier("ops", "ops.web")).code(), 201);
  EXPECT_EQ(post(k_policies, R"({"metadata":{"name":"web"}})").code(), 201) << "as v3.19 sends it";
  EXPECT_EQ(get(at(k_policies, "web")).text({"spec", "tier"}), "default");
}

TEST_F(TiersTest, APolicyStaysInItsTier) {
  post(k_policies, in_tier("ops", "ops.web"));
  const auto moved =
      patch(at(k_policies, "ops.web"), "merge-patch+json", R"({"spec":{"tier":"default"}})");
  EXPECT_EQ(moved.code(), 422);
  EXPECT_THAT(moved.text({"message"}), HasSubstr("spec.tier"));
}

TEST_F(TiersTest, OneWithPoliciesStays) {
  for (const auto& [collection, name] :
       {std::pair(k_policies, "ops.a"), std::pair(k_global, "ops.b"),
        std::pair(k_staged, "ops.c")}) {
    ASSERT_EQ(post(collection, in_tier("ops", name)).code(), 201) << name;
    const auto refused = remove(at(k_tiers, "ops"));
    EXPECT_EQ(refused.code(), 403) << name;
    EXPECT_THAT(refused.text({"message"}), HasSubstr(name));
    EXPECT_EQ(remove(k_tiers).code(), 403) << "nor with all of them";
    EXPECT_EQ(get(at(k_tiers, "ops")).code(), 200);
    ASSERT_EQ(remove(at(collection, name)).code(), 200);
  }
  EXPECT_EQ(remove(at(k_tiers, "ops")).code(), 200);
}

// What cannot be read may be a policy all the same.
TEST_F(TiersTest, OneWithAPolicyThatCannotBeReadStays) {
  ASSERT_TRUE(store_->create({"networkpolicies.projectcalico.org", "default", "ops.x"}, "{"));
  EXPECT_EQ(remove(at(k_tiers, "ops")).code(), 403);
}

TEST_F(TiersTest, OneThatIsBeingDeletedTakesNoPolicy) {
  ASSERT_EQ(patch(at(k_tiers, "ops"), "merge-patch+json",
                  R"({"metadata":{"finalizers":["example.com/hold"]}})")
                .code(),
            200);
  ASSERT_EQ(remove(at(k_tiers, "ops")).code(), 200);
  EXPECT_EQ(post(k_policies, in_tier("ops", "ops.web")).code(), 403);
}

TEST_F(TiersTest, PoliciesAreSelectedByTier) {
  post(k_global, in_tier("ops", "ops.a"));
  post(k_global, R"({"metadata":{"name":"b"}})");
  const auto count = [&](const std::string& selector) {
    return get(std::string(k_global) + "?" + selector).body.at("items").as_array().size();
  };
  EXPECT_EQ(count("labelSelector=projectcalico.org/tier%3Dops"), 1u);
  EXPECT_EQ(count("labelSelector=projectcalico.org/tier%3Ddefault"), 1u);
  EXPECT_EQ(count("fieldSelector=spec.tier%3Dops"), 1u);
  EXPECT_EQ(count("fieldSelector=spec.tier%3Ddefault"), 1u);
}

}  // namespace
}  // namespace margay::apiserver
