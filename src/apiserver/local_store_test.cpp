// The store that a command has while no server runs judges writes as the server does.

#include "apiserver/local_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apiserver/router_fixture.h"

namespace margay::apiserver {
namespace {

using base::ErrorCode;

class Local : public testing::Test {
 protected:
  Local() {
    auto opened =
        store::sqlite::SqliteStore::open({.path = (folder_.path() / "store.db").string(),
                                          .durability = store::sqlite::Durability::process_crash});
    if (!opened) throw std::runtime_error(opened.error().message);
    store_ = std::make_unique<LocalStore>(*std::move(opened));
  }
  static store::Key pool(const std::string& name) {
    return {"ippools.projectcalico.org", "", name};
  }

  TemporaryFolder folder_;
  std::unique_ptr<LocalStore> store_;
};

TEST_F(Local, WhatAServerMakesAtItsStartIsThereAfterTheFirstWrite) {
  EXPECT_FALSE(store_->get({"namespaces", "", "default"})) << "a read writes nothing";
  ASSERT_TRUE(store_->create({"networksets.projectcalico.org", "default", "a"}, R"({"spec":{}})"));
  EXPECT_TRUE(store_->get({"namespaces", "", "default"}));
  EXPECT_TRUE(store_->get({"tiers.projectcalico.org", "", "default"}));
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
