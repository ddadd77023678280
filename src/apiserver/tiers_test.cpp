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

// One that takes room to parse.
std::string heavy(const std::string& name, const std::string& spec) {
  return R"({"metadata":{"name":")" + name + R"(","annotations":{"a":")" + std::string(8'000, ',') +
         R"("}},"spec":{)" + spec + "}}";
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
  EXPECT_TRUE(restore_tiers(*store_, *writes_)) << "again";
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
  ASSERT_TRUE(restore_tiers(*store_, *writes_));
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

// What is in a tier is told by names: the policies' own weight is nothing to it.
TEST_F(TiersTest, OneGoesWithoutALookAtPolicies) {
  ASSERT_EQ(post(k_policies, heavy("web", "")).code(), 201);
  ASSERT_EQ(post(k_policies, heavy("ops.web", R"("tier":"ops")")).code(), 201);
  const auto refused = while_busy([&] { return remove(at(k_tiers, "ops") + "?dryRun=All"); });
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code(), 403);
  ASSERT_EQ(remove(at(k_policies, "ops.web")).code(), 200);
  const auto removed = while_busy([&] { return remove(at(k_tiers, "ops")); });
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->code(), 200);
}

TEST_F(TiersTest, OneWhoseNameBeginsLikeThePolicysStaysNot) {
  ASSERT_EQ(post(k_tiers, R"({"metadata":{"name":"op"}})").code(), 201);
  ASSERT_EQ(post(k_policies, in_tier("ops", "ops.web")).code(), 201);
  EXPECT_EQ(remove(at(k_tiers, "op")).code(), 200);
}

TEST_F(TiersTest, OneIsReadOnceForAllThatIsMadeInIt) {
  ASSERT_EQ(post(k_tiers, heavy("big", "")).code(), 201);
  const auto make = [&](const char* name) { return post(k_policies, in_tier("big", name)); };
  EXPECT_FALSE(while_busy([&] { return make("big.a"); })) << "it takes room";
  const auto next = while_busy([&] { return make("big.b"); });
  ASSERT_TRUE(next);
  EXPECT_EQ(next->code(), 201);
  const auto finalizer = R"({"metadata":{"finalizers":["example.com/hold"]}})";
  ASSERT_EQ(remove(at(k_policies, "big.a")).code(), 200);
  ASSERT_EQ(remove(at(k_policies, "big.b")).code(), 200);
  ASSERT_EQ(patch(at(k_tiers, "big"), "merge-patch+json", finalizer).code(), 200);
  ASSERT_EQ(remove(at(k_tiers, "big")).code(), 200);
  EXPECT_EQ(make("big.c").code(), 403) << "it has changed";
}

// Another server's may have been made just before.
TEST_F(TiersTest, OneThatFinalizersHeldGoesOnlyUnused) {
  const auto hold = [&](const char* finalizers) {
    return patch(at(k_tiers, "ops"), "merge-patch+json",
                 std::string(R"({"metadata":{"finalizers":)") + finalizers + "}}");
  };
  ASSERT_EQ(hold(R"(["example.com/hold"])").code(), 200);
  ASSERT_EQ(remove(at(k_tiers, "ops")).code(), 200);
  ASSERT_TRUE(store_->create({"networkpolicies.projectcalico.org", "default", "ops.x"}, "{}"));
  const auto refused = hold("null");
  EXPECT_EQ(refused.code(), 403);
  EXPECT_THAT(refused.text({"message"}), HasSubstr("ops.x is in it"));
  ASSERT_TRUE(store_->remove({"networkpolicies.projectcalico.org", "default", "ops.x"}, {}));
  EXPECT_EQ(hold("null").code(), 200);
  EXPECT_EQ(get(at(k_tiers, "ops")).code(), 404);
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
