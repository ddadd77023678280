#include "store/syncer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::store {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr auto k_deadline = 60s;
const SyncerOptions k_fast{.backoff = {.initial = 1ms, .max = 5ms}, .page_size = 7};

// The executor: what is posted runs when the test takes its turn.
class TaskQueue {
 public:
  Syncer::Executor executor() {
    return [this](std::function<void()> task) {
      {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
      }
      wake_.notify_one();
    };
  }
  // Runs tasks until the condition holds. False: the deadline passed.
  bool run_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + k_deadline;
    while (!condition()) {
      std::unique_lock lock(mutex_);
      if (!wake_.wait_until(lock, deadline, [this] { return !tasks_.empty(); })) return false;
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
};

// Keeps what it is told and checks what must hold at each step.
class CheckingSink final : public SyncerSink {
 public:
  Task on_change(const Key& key, std::optional<Entry> entry) override {
    return [this, key, entry = std::move(entry)] { note(key, entry); };
  }
  void note(const Key& key, const std::optional<Entry>& entry) {
    ++changes;
    if (!entry) {
      EXPECT_TRUE(objects.erase(key)) << key.name << " is gone, but was never there";
      return;
    }
    EXPECT_EQ(entry->key, key);
    EXPECT_GT(entry->revision, newest[key]) << key.name << " went back, or was told twice";
    newest[key] = entry->revision;
    revisions.push_back(entry->revision);
    objects[key] = entry->value;
  }
  void on_in_sync() override {
    EXPECT_FALSE(in_sync) << "in sync twice";
    in_sync = true;
    at_in_sync = objects;
  }

  std::map<Key, std::string> objects;
  std::map<Key, std::string> at_in_sync;
  std::map<Key, Revision> newest;
  std::vector<Revision> revisions;
  size_t changes = 0;
  bool in_sync = false;
};

struct Faults {
  double list_fails = 0;  // chance of each
  double watch_fails = 0;
  double watch_ends = 0;  // at each event
  double too_old = 0;     // that a watch that ends or fails says so
};

// A store that is real, behind a connection that is not reliable: calls fail, watches end after a
// part of what they had to deliver.
class FlakyStore : public Store {
 public:
  FlakyStore(Store& store, Faults faults, uint64_t seed)
      : store_(store), faults_(faults), random_(seed) {}

  Result<Entry> get(const Key& key) override { return store_.get(key); }
  Result<Entry> create(const Key& key, std::string value) override {
    return store_.create(key, std::move(value));
  }
  Result<Entry> update(const Key& key, std::string value,
                       std::optional<Revision> expected) override {
    return store_.update(key, std::move(value), expected);
  }
  Result<Entry> remove(const Key& key, std::optional<Revision> expected) override {
    return store_.remove(key, expected);
  }
  Result<List> list(const Scope& scope, const ListOptions& options) override {
    ++lists;
    if (happens(faults_.list_fails)) return fail(ErrorCode::unavailable, "list failed");
    return store_.list(scope, options);
  }
  Result<std::unique_ptr<Watch>> watch(const Scope& scope, Revision from,
                                       Watcher& watcher) override {
    if (happens(faults_.watch_fails)) return fail(end_error());
    auto watch = std::make_unique<FlakyWatch>(*this, watcher);
    MARGAY_TRY(watch->inner, store_.watch(scope, from, *watch));
    return watch;
  }

  std::atomic<int> lists = 0;
  std::atomic<int> ends = 0;
  std::atomic<bool> calm = false;  // no more faults

 private:
  struct FlakyWatch final : Watch, Watcher {
    FlakyWatch(FlakyStore& owner, Watcher& watcher) : store(owner), outer(watcher) {}
    void on_events(std::span<const Event> events) override {
      if (ended) return;
      size_t delivered = 0;
      while (delivered < events.size() && !store.happens(store.faults_.watch_ends)) ++delivered;
      if (delivered > 0) outer.on_events(events.first(delivered));
      if (delivered < events.size()) end(store.end_error());
    }
    void on_progress(Revision revision) override {
      if (!ended) outer.on_progress(revision);
    }
    void on_end(const base::Error& error) override { end(error); }
    void end(const base::Error& error) {
      if (std::exchange(ended, true)) return;
      ++store.ends;
      outer.on_end(error);
    }
    FlakyStore& store;
    Watcher& outer;
    bool ended = false;
    std::unique_ptr<Watch> inner;  // last: gone before what it calls
  };

  bool happens(double chance) {
    const std::lock_guard lock(mutex_);
    return !calm && std::bernoulli_distribution(chance)(random_);
  }
  base::Error end_error() {
    if (happens(faults_.too_old)) return {ErrorCode::too_old, "compacted", {}};
    return {ErrorCode::unavailable, "cut", {}};
  }

  Store& store_;
  const Faults faults_;
  std::mutex mutex_;
  std::mt19937_64 random_;
};

class SyncerTest : public ::testing::Test {
 protected:
  static Key key(int number) { return {"things", "ns", fmt::format("key-{:02}", number)}; }

  // Random creations, updates and removals of 20 keys; returns the revisions that set a value.
  std::vector<Revision> churn(int steps, uint64_t seed, bool compact = false) {
    std::mt19937_64 random(seed);
    std::vector<Revision> revisions;
    for (int i = 0; i < steps; ++i) {
      const auto chosen = key(static_cast<int>(random() % 20));
      const auto value = std::to_string(i);
      auto written = store_->update(chosen, value, {});
      if (written && random() % 5 == 0) {
        EXPECT_TRUE(store_->remove(chosen, {}));
        ++removals_;
      } else if (!written) {
        written = store_->create(chosen, value);
      }
      revisions.push_back(written.value().revision);
      if (compact && random() % 20 == 0) {
        EXPECT_TRUE(store_->compact(store_->head().value()));
      }
    }
    return revisions;
  }
  std::map<Key, std::string> stored() {
    std::map<Key, std::string> objects;
    const auto list = store_->list({"things"}).value();
    for (const auto& entry : list.entries) objects[entry.key] = entry.value;
    return objects;
  }

  testing::TemporaryFolder folder_;
  std::unique_ptr<sqlite::SqliteStore> store_ =
      sqlite::SqliteStore::open(
          {.path = folder_.file("store.db"), .durability = sqlite::Durability::process_crash})
          .value();
  size_t removals_ = 0;
  TaskQueue queue_;
  CheckingSink sink_;
};

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

// A store without "later" things, until it has them.
class EarlierStore final : public FlakyStore {
 public:
  EarlierStore(Store& store, ErrorCode says) : FlakyStore(store, {}, 1), says_(says) {}
  Result<List> list(const Scope& scope, const ListOptions& options) override {
    if (scope.resource == "later" && !knows_later) return fail(says_, "no such resource");
    return FlakyStore::list(scope, options);
  }
  std::atomic<bool> knows_later = false;

 private:
  const ErrorCode says_;
};

TEST_F(SyncerTest, IsInSyncWithoutAResourceThatMayBeMissing) {
  ASSERT_TRUE(store_->create(key(1), ""));
  ASSERT_TRUE(store_->create({"later", "", "a"}, ""));
  auto options = k_fast;
  options.presence_check = 1ms;
  for (const auto says : {ErrorCode::not_found, ErrorCode::forbidden}) {
    EarlierStore store(*store_, says);
    CheckingSink sink;
    const Syncer syncer(store, {{"things"}, {.resource = "later", .optional = true}}, sink,
                        queue_.executor(), options);
    ASSERT_TRUE(queue_.run_until([&] { return sink.in_sync; }));
    EXPECT_EQ(sink.objects.size(), 1U);
    store.knows_later = true;
    ASSERT_TRUE(queue_.run_until([&] { return sink.objects.size() == 2; }));
  }
}

// However seldom it is looked for.
TEST_F(SyncerTest, IsInSyncWithoutItAsSoonAsTheOthersAreListed) {
  ASSERT_TRUE(store_->create(key(1), ""));
  const SyncerOptions seldom{.backoff = {.initial = 1h, .max = 1h}, .presence_check = 1h};
  EarlierStore store(*store_, ErrorCode::not_found);
  const Syncer syncer(store, {{.resource = "later", .optional = true}, {"things"}}, sink_,
                      queue_.executor(), seldom);
  EXPECT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
}

// A server that starts: it does not know our rights yet, and takes its time for the rest.
class StartingStore final : public FlakyStore {
 public:
  explicit StartingStore(Store& store) : FlakyStore(store, {}, 1) {}
  Result<List> list(const Scope& scope, const ListOptions& options) override {
    if (scope.resource == "things") has_started.wait(false);
    if (has_started) return FlakyStore::list(scope, options);
    refused = true;
    refused.notify_all();
    return fail(ErrorCode::forbidden, "no such role");
  }
  void start() {
    has_started = true;
    has_started.notify_all();
  }
  std::atomic<bool> has_started = false;
  std::atomic<bool> refused = false;
};

TEST_F(SyncerTest, DoesNotBelieveAnAbsenceFromBeforeTheOthersWereListed) {
  ASSERT_TRUE(store_->create(key(1), ""));
  ASSERT_TRUE(store_->create({"later", "", "a"}, ""));
  const SyncerOptions seldom{.backoff = {.initial = 1h, .max = 1h}, .presence_check = 1h};
  StartingStore store(*store_);
  const Syncer syncer(store, {{"things"}, {.resource = "later", .optional = true}}, sink_,
                      queue_.executor(), seldom);
  store.refused.wait(false);
  store.start();
  ASSERT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
  EXPECT_EQ(sink_.at_in_sync.size(), 2U);
}

TEST_F(SyncerTest, WaitsForAnUnreachableResourceThatMayBeMissing) {
  ASSERT_TRUE(store_->create({"later", "", "a"}, ""));
  EarlierStore store(*store_, ErrorCode::unavailable);
  const Syncer syncer(store, {{.resource = "later", .optional = true}}, sink_, queue_.executor(),
                      k_fast);
  std::this_thread::sleep_for(20ms);
  EXPECT_FALSE(sink_.in_sync);
  store.knows_later = true;
  ASSERT_TRUE(queue_.run_until([&] { return sink_.in_sync; }));
  EXPECT_EQ(sink_.at_in_sync.size(), 1U) << "whoever is late may have tiers";
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
