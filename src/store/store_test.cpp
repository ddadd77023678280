// What the interface itself does for backends that have no better way.

#include "store/store.h"

#include <gtest/gtest.h>

#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::store {
namespace {

using base::ErrorCode;

class PatchStatus : public ::testing::Test {
 protected:
  const Key key_{"pods", "alpha", "a"};
  testing::TemporaryFolder folder_;
  std::unique_ptr<sqlite::SqliteStore> store_ =
      sqlite::SqliteStore::open({.path = folder_.file("store.db")}).value();
  const Revision revision_ =
      store_
          ->create(key_,
                   R"({"metadata":{"uid":"u","annotations":{"old":"1"}},"spec":{"kept":true}})")
          .value()
          .revision;
};

TEST_F(PatchStatus, MergesAndKeepsTheRest) {
  const auto patched = store_->patch_status(
      key_, R"({"metadata":{"uid":"u","annotations":{"new":"2"}},"status":{"phase":"Running"}})");
  ASSERT_TRUE(patched) << patched.error().message;
  EXPECT_EQ(patched->value,
            R"({"metadata":{"uid":"u","annotations":{"old":"1","new":"2"}},"spec":{"kept":true},)"
            R"("status":{"phase":"Running"}})");
  EXPECT_EQ(store_->get(key_)->value, patched->value);
}

TEST_F(PatchStatus, RefusesWhatWasMeantForAnotherRevisionOrObject) {
  for (const std::string metadata : {R"({"resourceVersion":"1"})", R"({"uid":"another"})"}) {
    const auto refused = store_->patch_status(key_, R"({"metadata":)" + metadata + "}");
    ASSERT_FALSE(refused) << metadata;
    EXPECT_EQ(refused.error().code, ErrorCode::conflict) << metadata;
  }
  EXPECT_EQ(store_->get(key_)->revision, revision_);
  const auto patched = store_->patch_status(
      key_, R"({"metadata":{"resourceVersion":")" + std::to_string(revision_) + R"("}})");
  ASSERT_TRUE(patched);
  EXPECT_EQ(patched->value.find("resourceVersion"), std::string::npos) << patched->value;
  EXPECT_EQ(store_->patch_status({"pods", "alpha", "b"}, "{}").error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace margay::store
