// Verbs that remove: objects, collections, namespaces with all that is in them.

#include <gmock/gmock.h>

#include "api/codec.h"
#include "apiserver/router_fixture.h"

namespace margay::apiserver {
namespace {

using testing::HasSubstr;

constexpr auto k_config_maps = "/api/v1/namespaces/default/configmaps";
constexpr auto k_pods = "/api/v1/namespaces/default/pods";
constexpr auto k_pod = R"({"metadata":{"name":"p"},
  "spec":{"nodeName":"node1","containers":[{"name":"c","image":"i"}]}})";

std::string config_map(const std::string& name, const std::string& labels = "{}") {
  return R"({"metadata":{"name":")" + name + R"(","labels":)" + labels + R"(},"data":{"a":"1"}})";
}

class RemoveTest : public RouterFixture {};

TEST_F(RemoveTest, WithPreconditions) {
  const auto created = post(k_config_maps, config_map("a"));
  const auto object = std::string(k_config_maps) + "/a";
  EXPECT_EQ(remove(object, R"({"preconditions":{"uid":"other"}})").code(), 409);
  EXPECT_EQ(remove(object, R"({"preconditions":{"resourceVersion":"1"}})").code(), 409);
  EXPECT_EQ(remove(object + "?dryRun=All").code(), 200);
  EXPECT_EQ(remove(object + "?propagationPolicy=Sometimes").code(), 400);
  const auto removed =
      remove(object, R"({"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background",
      "preconditions":{"uid":")" +
                         created.text({"metadata", "uid"}) + "\"}}");
  EXPECT_EQ(removed.code(), 200);
  EXPECT_EQ(removed.text({"status"}), "Success");
  EXPECT_EQ(removed.text({"details", "uid"}), created.text({"metadata", "uid"}));
  EXPECT_EQ(remove(object).code(), 404);
}

TEST_F(RemoveTest, ALongCollectionGoesInSteps) {
  for (int i = 0; i < 100; ++i) post(k_config_maps, config_map("c" + std::to_string(i)));
  const Request request{.method = Method::remove, .target = k_config_maps};
  RequestLabels labels;
  auto response = router_->handle(request, labels);
  ASSERT_TRUE(response.unfinished);
  EXPECT_EQ(get(k_config_maps).body.at("items").as_array().size(), 100u);
  response = router_->go_on(request, std::move(response.unfinished));
  ASSERT_TRUE(response.unfinished) << "others have their turn";
  const auto left = get(k_config_maps).body.at("items").as_array().size();
  EXPECT_TRUE(left > 0 && left < 100) << left;
  EXPECT_EQ(router_->give_up(request, *response.unfinished).code, 503) << "the server stops";
  EXPECT_EQ(get(k_config_maps).body.at("items").as_array().size(), left);
  EXPECT_EQ(remove(std::string(k_config_maps) + "?limit=2").body.at("items").as_array().size(), 2u);
  EXPECT_EQ(remove(k_config_maps).body.at("items").as_array().size(), left - 2);
  EXPECT_TRUE(get(k_config_maps).body.at("items").as_array().empty());
}

TEST_F(RemoveTest, ALongCollectionGoesWhateverHistoryIsKept) {
  for (int i = 0; i < 100; ++i) post(k_config_maps, config_map("c" + std::to_string(i)));
  const Request request{.method = Method::remove, .target = k_config_maps};
  RequestLabels labels;
  auto response = router_->handle(request, labels);
  const auto is_forgotten = [&](store::Revision revision) {
    return !store_->changes({.resource = "configmaps"}, revision, 1);
  };
  while (response.unfinished) {
    const auto begun = store_->head().value();
    response = router_->go_on(request, std::move(response.unfinished));
    // Watches are told on a thread of the store's, and compaction waits for that.
    while (store_->head().value() > begun && !is_forgotten(begun))
      ASSERT_TRUE(store_->compact(store_->head().value()));
  }
  EXPECT_EQ(response.code, 200) << response.body;
  EXPECT_TRUE(get(k_config_maps).body.at("items").as_array().empty());
}

std::string heavy_config_map(const std::string& name) {
  return R"({"metadata":{"name":")" + name + R"("},"data":{"k":")" + std::string(8'000, ',') +
         "\"}}";
}

TEST_F(RemoveTest, ACollectionOfWhichNothingIsGoneIsRefusedWhereTheServerIsBusy) {
  ASSERT_EQ(post(k_config_maps, heavy_config_map("a")).code(), 201);
  for (const char* target : {"", "/a", "?labelSelector=a", "?limit=5"}) {
    const auto reply = while_busy([&] { return remove(k_config_maps + std::string(target)); });
    ASSERT_TRUE(reply) << target << ": it waits, and keeps a handler";
    EXPECT_EQ(reply->code(), 429) << target;
  }
  EXPECT_EQ(get(std::string(k_config_maps) + "/a").code(), 200);
}

// A client that was refused with a part removed would not ask again.
TEST_F(RemoveTest, ACollectionThatIsBegunWaitsWhereTheServerIsBusy) {
  ASSERT_EQ(post(k_config_maps, config_map("a")).code(), 201);
  ASSERT_EQ(post(k_config_maps, heavy_config_map("b")).code(), 201);
  EXPECT_FALSE(while_busy([&] { return remove(k_config_maps); }));
  EXPECT_TRUE(get(k_config_maps).body.at("items").as_array().empty());
}

TEST_F(RemoveTest, WhatCannotBeReadGoesWithItsCollectionAndUnnamed) {
  ASSERT_TRUE(store_->create({"configmaps", "default", "bad"}, "}{"));
  post(k_config_maps, config_map("good"));
  const auto reply = remove(k_config_maps);
  EXPECT_EQ(reply.code(), 200);
  ASSERT_TRUE(reply.body.contains("items")) << reply.response.body;
  EXPECT_EQ(reply.body.at("items").as_array().size(), 1u);
  EXPECT_FALSE(store_->get({"configmaps", "default", "bad"}));
}

// Passed over, each of these would delete what the client wanted to keep.
TEST_F(RemoveTest, OptionsThatCannotBeReadDeleteNothing) {
  post(k_config_maps, config_map("a"));
  const auto object = std::string(k_config_maps) + "/a";
  const struct {
    const char* options;
    const char* message;
  } k_cases[] = {
      {R"({"dryRun":"All"})", R"(dryRun: Invalid value: "All": must be a list)"},
      {R"({"dryRun":["Some"]})", R"(dryRun: Invalid value: ["Some"]: must be "All")"},
      {R"({"dryRun":[true]})", "dryRun[0]: Invalid value: true: must be a string"},
      {R"({"preconditions":"uid"})", R"(preconditions: Invalid value: "uid": must be an object)"},
      {R"({"preconditions":{"uid":7}})", "preconditions.uid: Invalid value: 7: must be a string"},
      {R"({"preconditions":{"resourceVersion":7}})",
       "preconditions.resourceVersion: Invalid value: 7: must be a string"},
      {R"({"preconditions":{"resourceVersion":"x"}})",
       R"(preconditions.resourceVersion: Invalid value: "x": is not a resource version)"},
      {R"({"gracePeriodSeconds":"7"})", "gracePeriodSeconds: Invalid value: \"7\": must be"},
      {R"({"propagationPolicy":1})", "propagationPolicy: Invalid value: 1: must be a string"},
      {R"({"kind":1})", "kind: Invalid value: 1: must be a string"},
  };
  for (const auto& [options, message] : k_cases) {
    const auto reply = remove(object, options);
    EXPECT_EQ(reply.code(), 400) << options;
    EXPECT_THAT(std::string(reply.text({"message"})), HasSubstr(message)) << options;
  }
  EXPECT_EQ(get(object).code(), 200);
  EXPECT_EQ(remove(object, R"({"preconditions":{"uid":"","resourceVersion":""},"dryRun":null,
                               "gracePeriodSeconds":null,"propagationPolicy":""})")
                .code(),
            200)
      << "zero values of typed clients ask for nothing";
}

TEST_F(RemoveTest, FinalizersHoldAnObject) {
  post(k_config_maps, R"({"metadata":{"name":"a","finalizers":["example.com/hold"]}})");
  const auto object = std::string(k_config_maps) + "/a";
  EXPECT_FALSE(remove(object).text({"metadata", "deletionTimestamp"}).empty());
  EXPECT_EQ(patch(object, "merge-patch+json",
                  R"({"metadata":{"finalizers":["example.com/hold","example.com/new"]}})")
                .code(),
            422);
  EXPECT_EQ(patch(object, "merge-patch+json", R"({"metadata":{"finalizers":null}})").code(), 200);
  EXPECT_EQ(get(object).code(), 404);
}

TEST_F(RemoveTest, PodOnANodeGetsItsGracePeriod) {
  post(k_pods, k_pod);
  const auto pod = std::string(k_pods) + "/p";
  const auto marked = remove(pod);
  EXPECT_EQ(marked.text({"metadata", "deletionTimestamp"}),
            base::to_rfc3339(clock_.wall_time() + std::chrono::seconds(30)));
  EXPECT_EQ(integer_at(marked.body, {"metadata", "deletionGracePeriodSeconds"}), 30);
  const auto again = remove(pod);
  EXPECT_EQ(again.text({"metadata", "resourceVersion"}),
            marked.text({"metadata", "resourceVersion"}));
  const auto shorter = remove(pod, R"({"gracePeriodSeconds":5})");
  EXPECT_EQ(integer_at(shorter.body, {"metadata", "deletionGracePeriodSeconds"}), 5);
  EXPECT_EQ(remove(pod, R"({"gracePeriodSeconds":0})").text({"status"}), "Success");
  EXPECT_EQ(get(pod).code(), 404);
}

TEST_F(RemoveTest, AGraceBeyondAllClocksIsRefused) {
  post(k_pods, k_pod);
  const auto pod = std::string(k_pods) + "/p";
  for (const auto* grace : {"10000000000", "9223372036854775807"}) {
    EXPECT_EQ(remove(pod + "?gracePeriodSeconds=" + grace).code(), 400) << grace;
    EXPECT_EQ(remove(pod, std::string(R"({"gracePeriodSeconds":)") + grace + "}").code(), 400);
  }
  post(k_pods, R"({"metadata":{"name":"own"},"spec":{"nodeName":"node1",
    "terminationGracePeriodSeconds":4611686018427387904,
    "containers":[{"name":"c","image":"i"}]}})");
  const auto marked = remove(std::string(k_pods) + "/own");
  EXPECT_GT(marked.text({"metadata", "deletionTimestamp"}), "2030") << marked.response.body;
}

// What a deletion writes to an object must not be what makes it too large.
TEST_F(RemoveTest, AnObjectAsLargeAsMayBeCanGo) {
  std::string data(api::k_max_object_bytes - 400, 'x');
  const auto body = [&] {
    return R"({"metadata":{"name":"large","finalizers":["example.com/hold"]},"data":{"a":")" +
           data + "\"}}";
  };
  while (post(k_config_maps, body()).code() == 413) data.resize(data.size() - 10);
  const auto object = std::string(k_config_maps) + "/large";
  const auto marked = remove(object);
  EXPECT_EQ(marked.code(), 200);
  EXPECT_NE(marked.text({"metadata", "deletionTimestamp"}), "");
  EXPECT_EQ(patch(object, "merge-patch+json", R"({"metadata":{"finalizers":null}})").code(), 200);
  EXPECT_EQ(get(object).code(), 404);
}

// What is done for a removal needs room of its own: here more than is left beside what was removed.
TEST_F(RemoveTest, OfALargeObjectLeavesRoomForWhatItEntails) {
  const auto labels = [](size_t count) {
    std::string out = "{";
    for (size_t i = 0; i < count; ++i)
      out += std::string(i == 0 ? "" : ",") + "\"l" + std::to_string(i) + "\":\"v\"";
    return out + "}";
  };
  ASSERT_EQ(post("/api/v1/namespaces",
                 R"({"metadata":{"name":"large","labels":)" + labels(100'000) + "}}")
                .code(),
            201);
  const auto account = std::string("/api/v1/namespaces/large/serviceaccounts/default");
  ASSERT_EQ(patch(account, "merge-patch+json", R"({"metadata":{"labels":)" + labels(100'000) + "}}")
                .code(),
            200);
  ASSERT_EQ(remove(account).code(), 200);
  EXPECT_EQ(get(account).code(), 200) << "a namespace has one";
}

TEST_F(RemoveTest, PodThatRunsNowhereGoesAtOnce) {
  post(k_pods, R"({"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}})");
  EXPECT_EQ(remove(std::string(k_pods) + "/p").text({"status"}), "Success");
}

TEST_F(RemoveTest, CollectionBySelector) {
  post(k_config_maps, config_map("a", R"({"x":"1"})"));
  post(k_config_maps, config_map("b"));
  EXPECT_EQ(remove(std::string(k_config_maps) + "?labelSelector=x%3D1").code(), 200);
  EXPECT_EQ(get(std::string(k_config_maps) + "/a").code(), 404);
  EXPECT_EQ(get(std::string(k_config_maps) + "/b").code(), 200);
}

TEST_F(RemoveTest, ACollectionIsDeletedPageByPageAndTold) {
  const std::string maps = "/api/v1/namespaces/default/configmaps";
  const auto create = [&](const std::string& name, size_t size) {
    const auto made = post(maps, R"({"metadata":{"name":")" + name + R"("},"data":{"k":")" +
                                     std::string(size, 'x') + R"("}})");
    ASSERT_EQ(made.code(), 201);
  };
  create("a", 10);
  create("b", 10);
  const auto some = remove(maps + "?limit=1");
  ASSERT_EQ(some.code(), 200);
  EXPECT_EQ(some.text({"kind"}), "ConfigMapList");
  EXPECT_EQ(some.body.at("items").as_array().size(), 1);
  EXPECT_EQ(get(maps).body.at("items").as_array().size(), 1) << "no more than was asked for";
  EXPECT_EQ(remove(maps).body.at("items").as_array().size(), 1);

  for (int i = 0; i < 6; ++i) create("large" + std::to_string(i), 1'000'000);
  const auto all = remove(maps);
  EXPECT_EQ(all.code(), 200);
  EXPECT_EQ(all.text({"status"}), "Success") << "too much to be told one by one";
  EXPECT_LT(all.response.body.size(), 1'000);
  EXPECT_TRUE(get(maps).body.at("items").as_array().empty());
}

class NamespaceTest : public RouterFixture {
 protected:
  // Whether the object goes away within a deadline.
  bool goes(const std::string& target) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      if (get(target).code() == 404) return true;
      std::this_thread::yield();
    }
    return false;
  }
};

TEST_F(NamespaceTest, FourExistFromTheStartWithAServiceAccount) {
  for (const std::string name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    const auto reply = get("/api/v1/namespaces/" + name);
    EXPECT_EQ(reply.text({"status", "phase"}), "Active") << name;
    EXPECT_EQ(reply.text({"metadata", "labels", "kubernetes.io/metadata.name"}), name);
    EXPECT_EQ(get("/api/v1/namespaces/" + name + "/serviceaccounts/default").code(), 200) << name;
  }
}

TEST_F(NamespaceTest, DefaultMayNotBeDeleted) {
  const auto reply = remove("/api/v1/namespaces/default");
  EXPECT_EQ(reply.code(), 403);
  EXPECT_EQ(get("/api/v1/namespaces/default").text({"status", "phase"}), "Active");
}

TEST_F(NamespaceTest, DeletionTakesTheContentAndWaitsForIt) {
  post("/api/v1/namespaces", R"({"metadata":{"name":"n"}})");
  post("/api/v1/namespaces/n/configmaps", config_map("a"));
  post("/api/v1/namespaces/n/pods", k_pod);
  EXPECT_EQ(remove("/api/v1/namespaces/n").text({"status", "phase"}), "Terminating");
  ASSERT_TRUE(goes("/api/v1/namespaces/n/configmaps/a"));
  const auto refused = post("/api/v1/namespaces/n/configmaps", config_map("b"));
  EXPECT_EQ(refused.code(), 403);
  EXPECT_THAT(refused.text({"message"}), HasSubstr("being terminated"));
  EXPECT_EQ(get("/api/v1/namespaces/n").code(), 200) << "a pod still has its grace period";
  remove("/api/v1/namespaces/n/pods/p", R"({"gracePeriodSeconds":0})");
  ASSERT_TRUE(goes("/api/v1/namespaces/n"));
  EXPECT_EQ(post("/api/v1/namespaces", R"({"metadata":{"name":"n"}})").code(), 201);
  EXPECT_EQ(post("/api/v1/namespaces/n/configmaps", config_map("b")).code(), 201);
}

}  // namespace
}  // namespace margay::apiserver
