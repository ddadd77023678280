// How a page is found; what lists answer is in conformance_test.cpp.

#include "store/sqlite/listing.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>

#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::store::sqlite {
namespace {

using testing::TemporaryFolder;

std::unique_ptr<SqliteStore> open(const TemporaryFolder& folder) {
  return SqliteStore::open(
             {.path = folder.file("store.db"), .durability = Durability::process_crash})
      .value();
}

TEST(Listing, EachPageSaysHowManyComeAfterIt) {
  const TemporaryFolder folder;
  const auto store = open(folder);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(store->create({"things", "one", std::to_string(i)}, ""));
    ASSERT_TRUE(store->create({"things", "two", std::to_string(i)}, ""));
    ASSERT_TRUE(store->create({"others", "one", std::to_string(i)}, ""));
  }
  ASSERT_TRUE(store->remove({"things", "one", "5"}, {}));
  ASSERT_TRUE(store->update({"things", "one", "6"}, "", {}));
  struct Case {
    Scope scope;
    std::vector<size_t> remaining;
  };
  const Case cases[] = {
      {{"things"}, {15, 11, 7, 3}}, {{"things", "one"}, {5, 1}}, {{"things", "two"}, {6, 2}}};
  for (const auto& [scope, expected] : cases) {
    std::vector<size_t> remaining;
    List page;
    do {
      page = store->list(scope, {.limit = 4, .resume = page.resume}).value();
      if (page.remaining) remaining.push_back(*page.remaining);
      // What happens meanwhile is not in the snapshot.
      ASSERT_TRUE(store->create({"things", "one", "z" + page.resume}, ""));
      ASSERT_TRUE(store->create({"things", "two", "z" + page.resume}, ""));
    } while (!page.resume.empty());
    EXPECT_EQ(remaining, expected) << scope.ns;
    const auto left = store->list({"things"}).value();
    for (const auto& entry : left.entries) {
      if (entry.key.name.starts_with('z')) {
        EXPECT_TRUE(store->remove(entry.key, {}));
      }
    }
  }
}

TEST(Listing, AnExpiredPageGoesOnFromThePresentWhereThatIsAsked) {
  const TemporaryFolder folder;
  const auto store = open(folder);
  for (const char* name : {"a", "b", "c", "d"})
    ASSERT_TRUE(store->create({"things", "one", name}, "old"));
  const auto page = store->list({"things"}, {.limit = 2}).value();
  ASSERT_TRUE(store->update({"things", "one", "a"}, "new", {}));
  ASSERT_TRUE(store->update({"things", "one", "c"}, "new", {}));
  const auto within =
      store->list({"things"}, {.limit = 1, .resume = page.resume, .or_now = true}).value();
  ASSERT_EQ(within.entries.size(), 1u);
  EXPECT_EQ(within.entries[0].value, "old") << "while there is the snapshot it is the list";

  ASSERT_TRUE(store->compact(store->head().value()));
  ASSERT_FALSE(store->list({"things"}, {.resume = page.resume}));
  const auto now =
      store->list({"things"}, {.limit = 1, .resume = page.resume, .or_now = true}).value();
  EXPECT_EQ(now.revision, store->head().value());
  ASSERT_EQ(now.entries.size(), 1u);
  EXPECT_EQ(now.entries[0].key.name, "c");
  EXPECT_EQ(now.entries[0].value, "new");
  EXPECT_FALSE(now.remaining) << "nobody counted";
  const auto last = store->list({"things"}, {.resume = now.resume}).value();
  ASSERT_EQ(last.entries.size(), 1u);
  EXPECT_EQ(last.entries[0].key.name, "d");
}

// Counts the instructions of SQLite's virtual machine, of every connection opened meanwhile.
class InstructionCount {
 public:
  InstructionCount() {
    count_ = 0;
    ::sqlite3_auto_extension(reinterpret_cast<void (*)()>(&watch));
  }
  ~InstructionCount() { ::sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(&watch)); }
  int64_t take() { return count_.exchange(0); }

 private:
  static int watch(sqlite3* connection, char**, const void*) {
    const auto count = [](void*) {
      ++count_;
      return 0;
    };
    ::sqlite3_progress_handler(connection, 1, count, nullptr);
    return SQLITE_OK;
  }
  static inline std::atomic<int64_t> count_;
};

TEST(Listing, APageCostsTheSameWhateverTheCollectionsSize) {
  const auto cost_of_a_page = [](const Scope& scope, int objects) {
    const TemporaryFolder folder;
    InstructionCount instructions;
    const auto store = open(folder);
    const auto thing = [](int i) { return Key{"things", "ns", fmt::format("thing-{:05}", i)}; };
    for (int i = 0; i < objects; ++i) EXPECT_TRUE(store->create(thing(i), "value"));
    const auto first = store->list(scope, {.limit = 20}).value();
    // Half of what comes after the second page changes or goes.
    for (int i = 40; i < objects; i += 4) {
      EXPECT_TRUE(store->update(thing(i), "new", {}));
      EXPECT_TRUE(store->remove(thing(i + 1), {}));
    }
    instructions.take();
    const auto second = store->list(scope, {.limit = 20, .resume = first.resume}).value();
    EXPECT_EQ(second.entries.size(), 20U);
    EXPECT_EQ(second.entries.back().key, thing(39));
    EXPECT_EQ(second.remaining, static_cast<size_t>(objects) - 40);
    return instructions.take();
  };
  for (const Scope& scope : {Scope{"things"}, Scope{"things", "ns"}}) {
    const int64_t few = cost_of_a_page(scope, 100);
    EXPECT_GT(few, 20);
    EXPECT_LT(cost_of_a_page(scope, 2'000), few + few / 10) << scope.ns;
  }
}

}  // namespace
}  // namespace margay::store::sqlite
