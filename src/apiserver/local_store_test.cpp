// The store that a command has while no server runs judges writes as the server does.

#include "apiserver/local_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apiserver/router_fixture.h"
#include "store/testing/forwarding_store.h"

namespace margay::apiserver {
namespace {

using base::ErrorCode;

// A store that counts what it is asked, and whose disk may be full.
class CountingStore final : public store::ForwardingStore {
 public:
  explicit CountingStore(std::unique_ptr<store::Store> store)
      : ForwardingStore(*store), owned_(std::move(store)) {}

  base::Result<store::List> list(const store::Scope& scope,
                                 const store::ListOptions& options) override {
    ++lists;
    return store_.list(scope, options);
  }
  base::Result<store::Entry> create(const store::Key& key, std::string value) override {
    if (is_full) return base::fail(ErrorCode::unavailable, "the disk is full");
    ++creations;
    return store_.create(key, std::move(value));
  }

  bool is_full = false;
  int lists = 0;
  int creations = 0;

 private:
  const std::unique_ptr<store::Store> owned_;
};

class Local : public testing::Test {
 protected:
  Local() { open(); }
  // As the next command does.
  void open() {
    store_.reset();
    auto opened =
        store::sqlite::SqliteStore::open({.path = (folder_.path() / "store.db").string(),
                                          .durability = store::sqlite::Durability::process_crash});
    if (!opened) throw std::runtime_error(opened.error().message);
    auto inner = std::make_unique<CountingStore>(*std::move(opened));
    inner_ = inner.get();
    store_ = std::make_unique<LocalStore>(std::move(inner));
  }
  static store::Key network_set(const std::string& ns) {
    return {"networksets.projectcalico.org", ns, "a"};
  }
  static store::Key account(const std::string& ns) { return {"serviceaccounts", ns, "default"}; }
  // Namespaces, as a server leaves them.
  void make_namespaces(std::initializer_list<const char*> names) {
    for (const auto* name : names)
      ASSERT_TRUE(store_->create({"namespaces", "", name}, "{}")) << name;
  }
  static store::Key pool(const std::string& name) {
    return {"ippools.projectcalico.org", "", name};
  }

  TemporaryFolder folder_;
  CountingStore* inner_ = nullptr;
  std::unique_ptr<LocalStore> store_;
};

TEST_F(Local, WhatAServerMakesAtItsStartIsThereAfterTheFirstWrite) {
  EXPECT_FALSE(store_->get({"namespaces", "", "default"})) << "a read writes nothing";
  ASSERT_TRUE(store_->create({"networksets.projectcalico.org", "default", "a"}, R"({"spec":{}})"));
  EXPECT_TRUE(store_->get({"namespaces", "", "default"}));
  EXPECT_TRUE(store_->get({"tiers.projectcalico.org", "", "default"}));
}

TEST_F(Local, AWriteReadsAndWritesNothingOfOtherNamespaces) {
  make_namespaces({"a", "b", "c", "d"});
  open();
  ASSERT_TRUE(store_->create(network_set("c"), R"({"spec":{}})"));
  EXPECT_EQ(inner_->creations, 1) << "what was asked for";
  EXPECT_EQ(inner_->lists, 0);
}

TEST_F(Local, ANamespaceThatIsWrittenInHasItsServiceAccount) {
  make_namespaces({"a", "b"});
  for (const auto* ns : {"a", "b"}) ASSERT_TRUE(inner_->remove(account(ns), {}));
  open();
  ASSERT_TRUE(store_->create(network_set("a"), R"({"spec":{}})"));
  EXPECT_TRUE(store_->get(account("a")));
  EXPECT_FALSE(store_->get(account("b"))) << "a server's start makes it";
}

TEST_F(Local, UpdatesAndRemovalsWorkOnAFullDiskWhateverIsMissing) {
  const store::Key tier{"tiers.projectcalico.org", "", "kube-admin"};
  make_namespaces({"a"});
  ASSERT_TRUE(store_->create(network_set("a"), R"({"spec":{}})"));
  for (const auto& key : {tier, account("a")}) ASSERT_TRUE(inner_->remove(key, {}));
  open();
  inner_->is_full = true;
  const auto updated =
      store_->update(network_set("a"), R"({"spec":{"nets":["192.0.2.0/24"]}})", {});
  EXPECT_TRUE(updated) << updated.error().message;
  const auto refused = store_->create(network_set("default"), R"({"spec":{}})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  inner_->is_full = false;
  EXPECT_TRUE(store_->update(network_set("a"), R"({"spec":{}})", {}));
  EXPECT_TRUE(store_->get(tier)) << "as soon as there is room";
  EXPECT_TRUE(store_->get(account("a")));
  inner_->is_full = true;
  EXPECT_TRUE(store_->remove(network_set("a"), {}));
}

TEST_F(Local, WritesAreDefaultedAndMadeCanonical) {
  const auto made = store_->create(pool("a"), R"({"spec":{"cidr":"10.0.0.7/8"}})");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_THAT(made->value, testing::HasSubstr(R"("cidr":"10.0.0.0/8")"));
  EXPECT_THAT(made->value, testing::HasSubstr(R"("blockSize":26)"));
  EXPECT_TRUE(store_->get({"ippools.crd.projectcalico.org", "", "a"})) << "the stored form too";
}

TEST_F(Local, WhatTheServerRefusesIsRefused) {
  const auto code = [](const auto& result) {
    return result ? std::string("done") : std::string(base::to_string(result.error().code));
  };
  ASSERT_TRUE(store_->create(pool("a"), R"({"spec":{"cidr":"10.0.0.0/8"}})"));
  EXPECT_EQ(code(store_->create(pool("a"), R"({"spec":{"cidr":"11.0.0.0/8"}})")), "already_exists");
  EXPECT_EQ(code(store_->create(pool("b"), R"({"spec":{"cidr":"10.1.0.0/16"}})")), "invalid");
  EXPECT_EQ(code(store_->create(pool("c"), R"({"spec":{"cidr":"x"}})")), "invalid");
  EXPECT_EQ(code(store_->create({"profiles.projectcalico.org", "", "kns.a"}, R"({"spec":{}})")),
            "invalid");
  EXPECT_EQ(
      code(store_->create({"networksets.projectcalico.org", "nowhere", "a"}, R"({"spec":{}})")),
      "not_found");
  EXPECT_EQ(code(store_->remove({"tiers.projectcalico.org", "", "default"}, std::nullopt)),
            "forbidden");
  EXPECT_EQ(code(store_->remove(pool("z"), std::nullopt)), "not_found");
}

TEST_F(Local, AnOldRevisionIsAConflict) {
  const auto made = store_->create(pool("a"), R"({"spec":{"cidr":"10.0.0.0/8"}})");
  ASSERT_TRUE(made);
  const auto changed = store_->update(
      pool("a"), R"({"spec":{"cidr":"10.0.0.0/8","natOutgoing":true}})", made->revision);
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_GT(changed->revision, made->revision);
  for (const auto& late : {store_->update(pool("a"), changed->value, made->revision),
                           store_->remove(pool("a"), made->revision)}) {
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::conflict);
  }
  EXPECT_TRUE(store_->remove(pool("a"), changed->revision));
}

}  // namespace
}  // namespace margay::apiserver
