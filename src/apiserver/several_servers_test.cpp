// Several servers on one store: what one decides from what it has read may be out of date when it
// writes. Each test lets another server act exactly there.

#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "apiserver/router_fixture.h"
#include "store/testing/forwarding_store.h"

namespace margay::apiserver {
namespace {

// The same store, with something that happens just before an object is created or removed in it.
class InterruptedStore final : public store::ForwardingStore {
 public:
  explicit InterruptedStore(store::Store& store) : ForwardingStore(store) {}

  void before_creation(std::function<void()> call) {
    const std::lock_guard lock(mutex_);
    before_creation_ = std::move(call);
  }
  void before_removal(std::function<void()> call) {
    const std::lock_guard lock(mutex_);
    before_removal_ = std::move(call);
  }

  base::Result<store::Entry> create(const store::Key& key, std::string value) override {
    if (const auto call = take(before_creation_)) call();
    return store_.create(key, std::move(value));
  }
  base::Result<store::Entry> remove(const store::Key& key,
                                    std::optional<store::Revision> expected) override {
    if (const auto call = take(before_removal_)) call();
    return store_.remove(key, expected);
  }

 private:
  std::function<void()> take(std::function<void()>& call) {
    const std::lock_guard lock(mutex_);
    return std::exchange(call, {});
  }

  std::mutex mutex_;
  std::function<void()> before_creation_;
  std::function<void()> before_removal_;
};

// The fixture's server, with its sweeper, is one; `late_` is the other, and has none.
class SeveralServersTest : public RouterFixture {
 protected:
  ObjectRef ref(const char* resource, std::string ns, std::string name = {}) const {
    return {.kind = api::find_resource(resource), .ns = std::move(ns), .name = std::move(name)};
  }
  static json::object named(const std::string& name) {
    return {{"metadata", json::object{{"name", name}}}};
  }
  static json::object pool(const std::string& name, const std::string& cidr) {
    auto out = named(name);
    out["spec"] = json::object{{"cidr", cidr}};
    return out;
  }
  void wait_until_gone(const std::string& target) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (get(target).code() != 404) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << target;
      std::this_thread::yield();
    }
  }
  size_t config_maps_in(const std::string& ns) {
    return store_->list({.resource = "configmaps", .ns = ns})->entries.size();
  }

  InterruptedStore late_store_{*store_};
  Writes late_{late_store_, clock_, room_};
};

TEST_F(SeveralServersTest, NamespaceMarkedByAnotherServerIsEmptied) {
  post("/api/v1/namespaces", R"({"metadata":{"name":"n"}})");
  ASSERT_TRUE(late_.create(ref("configmaps", "n"), named("a"), {}));
  ASSERT_TRUE(late_.remove(ref("namespaces", "", "n"), {}));
  wait_until_gone("/api/v1/namespaces/n");
  EXPECT_EQ(config_maps_in("n"), 0u);
}

TEST_F(SeveralServersTest, NothingIsCreatedInANamespaceThatWentMeanwhile) {
  post("/api/v1/namespaces", R"({"metadata":{"name":"n"}})");
  late_store_.before_creation([&] {
    remove("/api/v1/namespaces/n");
    wait_until_gone("/api/v1/namespaces/n");
  });
  const auto made = late_.create(ref("configmaps", "n"), named("a"), {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, R"(namespaces "n" not found)");
  EXPECT_EQ(config_maps_in("n"), 0u);
}

TEST_F(SeveralServersTest, NothingIsCreatedInANamespaceThatIsAnotherMeanwhile) {
  post("/api/v1/namespaces", R"({"metadata":{"name":"n"}})");
  late_store_.before_creation([&] {
    remove("/api/v1/namespaces/n");
    wait_until_gone("/api/v1/namespaces/n");
    post("/api/v1/namespaces", R"({"metadata":{"name":"n"}})");
  });
  EXPECT_FALSE(late_.create(ref("configmaps", "n"), named("a"), {}));
  EXPECT_EQ(config_maps_in("n"), 0u);
  EXPECT_TRUE(late_.create(ref("configmaps", "n"), named("a"), {}));
}

TEST_F(SeveralServersTest, NothingIsCreatedInANamespaceThatBeginsToGoMeanwhile) {
  post("/api/v1/namespaces", R"({"metadata":{"name":"n","finalizers":["example.com/hold"]}})");
  late_store_.before_creation([&] { remove("/api/v1/namespaces/n"); });
  const auto made = late_.create(ref("configmaps", "n"), named("a"), {});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, testing::HasSubstr("being terminated"));
  EXPECT_EQ(config_maps_in("n"), 0u);
}

TEST_F(SeveralServersTest, OfPoolsThatOverlapTheFirstStays) {
  late_store_.before_creation([&] {
    EXPECT_EQ(
        post("/apis/projectcalico.org/v3/ippools", json::serialize(pool("first", "10.0.0.0/16")))
            .code(),
        201);
  });
  const auto made =
      late_.create(ref("ippools.projectcalico.org", ""), pool("second", "10.0.0.0/8"), {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, 422);
  EXPECT_EQ(get("/apis/projectcalico.org/v3/ippools/first").code(), 200);
  EXPECT_EQ(get("/apis/projectcalico.org/v3/ippools/second").code(), 404);
}

// Both through one server: what comes second waits for the first. (The second's answer is not
// waited for longer than one that waits for nothing takes.)
TEST_F(SeveralServersTest, OnOneServerNoPolicyOutlivesItsTier) {
  const auto tier = ref("tiers.projectcalico.org", "", "ops");
  const auto policy = [&] {
    auto out = named("ops.web");
    out["spec"] = json::object{{"tier", "ops"}};
    return late_.create(ref("networkpolicies.projectcalico.org", "default"), out, {}).has_value();
  };
  const auto removal = [&] { return late_.remove(tier, {}).has_value(); };
  const auto let = [](std::future<bool>& other) { other.wait_for(std::chrono::milliseconds(200)); };

  ASSERT_TRUE(late_.create(ref("tiers.projectcalico.org", ""), named("ops"), {}));
  std::future<bool> made;
  late_store_.before_removal([&] { let(made = std::async(std::launch::async, policy)); });
  EXPECT_TRUE(removal());
  EXPECT_FALSE(made.get());
  EXPECT_FALSE(store_->get({"networkpolicies.projectcalico.org", "default", "ops.web"}));

  ASSERT_TRUE(late_.create(ref("tiers.projectcalico.org", ""), named("ops"), {}));
  std::future<bool> removed;
  late_store_.before_creation([&] { let(removed = std::async(std::launch::async, removal)); });
  EXPECT_TRUE(policy());
  EXPECT_FALSE(removed.get());
  EXPECT_TRUE(store_->get({"tiers.projectcalico.org", {}, "ops"}));
}

TEST_F(SeveralServersTest, CreationsInOneTierDoNotWaitForEachOther) {
  const auto make = [&](const char* name) {
    auto policy = named(name);
    policy["spec"] = json::object{{"tier", "ops"}};
    return late_.create(ref("networkpolicies.projectcalico.org", "default"), policy, {})
        .has_value();
  };
  ASSERT_TRUE(late_.create(ref("tiers.projectcalico.org", ""), named("ops"), {}));
  std::future<bool> other;
  late_store_.before_creation([&] {
    other = std::async(std::launch::async, make, "ops.b");
    EXPECT_EQ(other.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  });
  EXPECT_TRUE(make("ops.a"));
  EXPECT_TRUE(other.get());
}

TEST_F(SeveralServersTest, AStartWritesWhatIsMissingAndNothingElse) {
  for (const auto* name : {"a", "b"})
    ASSERT_EQ(post("/api/v1/namespaces", json::serialize(named(name))).code(), 201);
  const auto start = [&] {
    EXPECT_TRUE(restore_namespaces(late_store_, late_));
    EXPECT_TRUE(restore_tiers(late_store_, late_));
  };
  late_store_.before_creation([] { ADD_FAILURE() << "nothing is missing"; });
  start();
  late_store_.before_creation({});
  const store::Key account{"serviceaccounts", "b", "default"};
  const store::Key tier{"tiers.projectcalico.org", {}, "kube-admin"};
  for (const auto& key : {account, tier}) ASSERT_TRUE(store_->remove(key, {}));
  start();
  EXPECT_TRUE(store_->get(account));
  EXPECT_TRUE(store_->get(tier));
}

TEST_F(SeveralServersTest, StartingTogetherIsNoError) {
  NamespaceSweeper sweeper(late_store_, late_, room_);
  store_->remove({"namespaces", {}, "kube-public"}, {});
  late_store_.before_creation([&] { EXPECT_TRUE(restore_namespaces(*store_, *writes_)); });
  EXPECT_TRUE(restore_namespaces(late_store_, late_));
  EXPECT_EQ(get("/api/v1/namespaces/kube-public").code(), 200);
}

// Creations through both servers while the namespace goes: whatever was answered, nothing stays.
TEST_F(SeveralServersTest, NothingOutlivesItsNamespaceInARace) {
  for (int round = 0; round < 10; ++round) {
    ASSERT_EQ(post("/api/v1/namespaces", R"({"metadata":{"name":"n"}})").code(), 201);
    std::atomic<int> made = 0, refused = 0;
    std::vector<std::jthread> writers;
    for (auto* writes : {writes_.get(), &late_})
      for (int thread = 0; thread < 2; ++thread)
        writers.emplace_back([&, this, writes, thread] {
          for (int i = 0; i < 10'000 && refused == 0; ++i) {
            const auto created =
                writes->create(ref("configmaps", "n"),
                               named("c" + std::to_string(i) + "-" + std::to_string(thread) +
                                     (writes == &late_ ? "l" : "e")),
                               {});
            ++(created ? made : refused);
          }
        });
    while (made < 4 && refused == 0) std::this_thread::yield();
    ASSERT_TRUE(late_.remove(ref("namespaces", "", "n"), {}));
    writers.clear();
    ASSERT_TRUE(made > 0 && refused > 0) << "the end came among the creations";
    wait_until_gone("/api/v1/namespaces/n");
    EXPECT_EQ(config_maps_in("n"), 0u);
  }
}

}  // namespace
}  // namespace margay::apiserver
