#include "store/syncer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "store/testing/syncer_fixture.h"

namespace margay::store {
namespace {

using namespace std::chrono_literals;
using testing::CheckingSink;
using testing::FlakyStore;
using testing::k_fast;
using testing::SyncerTest;

TEST_F(SyncerTest, TellsTheSnapshotThenInSyncThenChanges) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store_->create(key(i), "before"));
  const Syncer syncer(*store_, {{"things"}}, sink_, queue_.executor(), k_fast);
  ASSERT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
  EXPECT_EQ(sink_.at_in_sync.size(), 20U);

  ASSERT_TRUE(store_->update(key(3), "after", {}));
  ASSERT_TRUE(store_->remove(key(4), {}));
  ASSERT_TRUE(queue_.run_until([&] { return sink_.changes == 22; }));
  EXPECT_EQ(sink_.objects, stored());
}

TEST_F(SyncerTest, IsInSyncWhenEveryResourceIs) {
  ASSERT_TRUE(store_->create({"others", "", "a"}, ""));
  ASSERT_TRUE(store_->create(key(1), ""));
  const Syncer syncer(*store_, {{"things"}, {"others"}, {"none"}}, sink_, queue_.executor(),
                      k_fast);
  ASSERT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
  EXPECT_EQ(sink_.at_in_sync.size(), 2U);
}

TEST_F(SyncerTest, NothingToSyncIsInSync) {
  const Syncer syncer(*store_, {}, sink_, queue_.executor(), k_fast);
  EXPECT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
}

TEST_F(SyncerTest, AWatchThatIsCutLosesAndRepeatsNothing) {
  FlakyStore flaky(*store_, {.list_fails = 0.3, .watch_fails = 0.2, .watch_ends = 0.05}, 1);
  const Syncer syncer(flaky, {{"things"}}, sink_, queue_.executor(), k_fast);
  ASSERT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
  const int lists = flaky.lists;

  std::vector<Revision> written;
  std::thread writer([&] { written = churn(2'000, 2); });
  ASSERT_TRUE(queue_.run_until([&] { return sink_.revisions.size() == 2'000; }));
  writer.join();
  ASSERT_TRUE(queue_.run_until([&] { return sink_.changes == 2'000 + removals_; }));
  EXPECT_EQ(sink_.revisions, written) << "each change once, in order";
  EXPECT_EQ(sink_.objects, stored());
  EXPECT_GT(flaky.ends, 10) << "the watch was hardly ever cut";
  EXPECT_EQ(flaky.lists, lists) << "a cut watch needs no new list";
}

TEST_F(SyncerTest, CompactedHistoryBecomesAListOfWhatDiffers) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    CheckingSink sink;
    FlakyStore flaky(
        *store_, {.list_fails = 0.2, .watch_fails = 0.2, .watch_ends = 0.1, .too_old = 0.5}, seed);
    const Syncer syncer(flaky, {{"things"}}, sink, queue_.executor(), k_fast);
    std::thread writer([&] { churn(500, seed, true); });
    ASSERT_TRUE(queue_.run_until([&] { return sink.in_sync; }));
    writer.join();
    flaky.calm = true;
    const auto expected = stored();
    EXPECT_TRUE(queue_.run_until([&] { return sink.objects == expected; }));
    EXPECT_GT(flaky.lists, 1);
  }
}

TEST_F(SyncerTest, TellsNothingOfWhatDidNotChangeInAListTakenAgain) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(store_->create(key(i), ""));
  FlakyStore flaky(*store_, {.watch_ends = 1, .too_old = 1}, 1);
  const Syncer syncer(flaky, {{"things"}}, sink_, queue_.executor(), k_fast);
  ASSERT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
  ASSERT_TRUE(store_->update(key(5), "new", {}));
  ASSERT_TRUE(queue_.run_until([&] { return sink_.changes == 11; }));
  EXPECT_EQ(sink_.objects, stored());
}

TEST_F(SyncerTest, ReadsObjectsBesideTheExecutorAndNoFasterThanItTakesThem) {
  struct CountingSink final : SyncerSink {
    Task on_change(const Key&, std::optional<Entry>) override {
      EXPECT_NE(std::this_thread::get_id(), executor) << "the executor has better things to do";
      ++read;
      return [this] {
        EXPECT_EQ(std::this_thread::get_id(), executor);
        most_waiting = std::max(most_waiting, read - taken++);
      };
    }
    void on_in_sync() override { in_sync = true; }
    const std::thread::id executor = std::this_thread::get_id();
    std::atomic<size_t> read = 0;
    size_t taken = 0;
    size_t most_waiting = 0;
    bool in_sync = false;
  };
  constexpr size_t k_objects = 500;
  for (size_t i = 0; i < k_objects; ++i)
    ASSERT_TRUE(store_->create({"things", "ns", fmt::format("object-{:03}", i)}, ""));
  CountingSink sink;
  const Syncer syncer(*store_, {{"things"}}, sink, queue_.executor(), k_fast);
  ASSERT_TRUE(queue_.run_until([&] { return sink.in_sync; }));
  EXPECT_EQ(sink.taken, k_objects);
  EXPECT_LE(sink.most_waiting, 4 * k_fast.page_size);
}

TEST_F(SyncerTest, CallsNothingOnceItIsGone) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store_->create(key(i), ""));
  auto syncer = std::make_unique<Syncer>(*store_, std::vector<Scope>{{"things"}}, sink_,
                                         queue_.executor(), k_fast);
  ASSERT_TRUE(queue_.run_until([&] { return sink_.changes > 0; }));
  syncer.reset();
  const auto changes = sink_.changes;
  bool drained = false;
  queue_.executor()([&] { drained = true; });
  ASSERT_TRUE(queue_.run_until([&] { return drained; }));
  EXPECT_EQ(sink_.changes, changes);
}

TEST_F(SyncerTest, CanBeDestroyedByItsSink) {
  struct DestroyingSink final : SyncerSink {
    Task on_change(const Key&, std::optional<Entry>) override {
      return [this] { ++calls; };
    }
    void on_in_sync() override { syncer.reset(); }
    std::unique_ptr<Syncer> syncer;
    int calls = 0;
  };
  DestroyingSink sink;
  sink.syncer = std::make_unique<Syncer>(*store_, std::vector<Scope>{{"things"}}, sink,
                                         queue_.executor(), k_fast);
  EXPECT_TRUE(queue_.run_until([&] { return sink.syncer == nullptr; }));
}

}  // namespace
}  // namespace margay::store
