#pragma once

// For tests of the syncer: an executor whose turn the test decides, a sink that checks what it is
// told, and a store of things behind a connection that is not reliable.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "store/sqlite/sqlite_store.h"
#include "store/syncer.h"
#include "store/testing/forwarding_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::store::testing {

constexpr std::chrono::seconds k_deadline{60};
const SyncerOptions k_fast{
    .backoff = {.initial = std::chrono::milliseconds(1), .max = std::chrono::milliseconds(5)},
    .page_size = 7};

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
class FlakyStore : public ForwardingStore {
 public:
  FlakyStore(Store& store, Faults faults, uint64_t seed)
      : ForwardingStore(store), faults_(faults), random_(seed) {}

  base::Result<List> list(const Scope& scope, const ListOptions& options) override {
    ++lists;
    if (happens(faults_.list_fails)) return base::fail(base::ErrorCode::unavailable, "list failed");
    return store_.list(scope, options);
  }
  base::Result<std::unique_ptr<Watch>> watch(const Scope& scope, Revision from,
                                             Watcher& watcher) override {
    if (happens(faults_.watch_fails)) return base::fail(end_error());
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
    if (happens(faults_.too_old)) return {base::ErrorCode::too_old, "compacted", {}};
    return {base::ErrorCode::unavailable, "cut", {}};
  }

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

  TemporaryFolder folder_;
  std::unique_ptr<sqlite::SqliteStore> store_ =
      sqlite::SqliteStore::open(
          {.path = folder_.file("store.db"), .durability = sqlite::Durability::process_crash})
          .value();
  size_t removals_ = 0;
  TaskQueue queue_;
  CheckingSink sink_;
};

}  // namespace margay::store::testing
