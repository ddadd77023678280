// The SQLite store against SQLite itself: the same rows with the same durability, in the same run.
// `ratio` is the store's speed as a part of the raw one's.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "store/kubernetes/kubernetes_store.h"
#include "store/sqlite/database.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::store {
namespace {

using sqlite::Database;
using sqlite::SqliteStore;

const std::string k_value(1'000, 'v');

double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void on_threads(int64_t threads, const std::function<void(int64_t)>& work) {
  std::vector<std::thread> running;
  for (int64_t i = 0; i < threads; ++i) running.emplace_back([&work, i] { work(i); });
  for (auto& thread : running) thread.join();
}

Key key(int64_t thread, int64_t number) {
  return {"things", "ns", fmt::format("thing-{}-{:06}", thread, number)};
}

// What one writes without a store: a table, a connection, a transaction for each insert.
class RawTable {
 public:
  explicit RawTable(const std::string& path) : database_(Database::open(path).value()) {
    database_
        .execute(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            "CREATE TABLE raw (resource TEXT, ns TEXT, name TEXT, value TEXT,"
            " PRIMARY KEY (resource, ns, name)) WITHOUT ROWID")
        .value();
  }
  void insert(const Key& key) {
    const std::lock_guard lock(mutex_);
    auto query = database_.query("INSERT INTO raw VALUES (?1, ?2, ?3, ?4)").value();
    query.bind(1, key.resource).bind(2, key.ns).bind(3, key.name).bind(4, k_value).run().value();
  }
  size_t list() {
    auto query = database_.query("SELECT ns, name, value FROM raw ORDER BY ns, name").value();
    std::vector<Entry> entries;
    while (query.step().value())
      entries.push_back({{"things", std::string(query.text(0)), std::string(query.text(1))},
                         std::string(query.text(2)),
                         0});
    return entries.size();
  }
  Database& database() { return database_; }

 private:
  std::mutex mutex_;
  Database database_;
};

void write(benchmark::State& state) {
  const int64_t writers = state.range(0);
  const int64_t each = 1'000 / writers + 20;
  double raw_time = 0;
  double store_time = 0;
  for (auto _ : state) {
    const testing::TemporaryFolder folder;
    RawTable raw(folder.file("raw.db"));
    raw_time += seconds([&] {
      on_threads(writers, [&](int64_t thread) {
        for (int64_t i = 0; i < each; ++i) raw.insert(key(thread, i));
      });
    });
    const auto store = SqliteStore::open({.path = folder.file("store.db")}).value();
    const double time = seconds([&] {
      on_threads(writers, [&](int64_t thread) {
        for (int64_t i = 0; i < each; ++i) store->create(key(thread, i), k_value).value();
      });
    });
    store_time += time;
    state.SetIterationTime(time);
    if (store->list({"things"}).value().entries.size() != static_cast<size_t>(writers * each))
      state.SkipWithError("writes are missing");
  }
  state.SetItemsProcessed(state.iterations() * writers * each);
  state.counters["ratio"] = raw_time / store_time;
}
BENCHMARK(write)->Arg(1)->Arg(8)->Arg(64)->UseManualTime()->Unit(benchmark::kMillisecond);

void list(benchmark::State& state) {
  const int64_t objects = state.range(0);
  const testing::TemporaryFolder folder;
  RawTable raw(folder.file("raw.db"));
  raw.database().execute("BEGIN").value();
  for (int64_t i = 0; i < objects; ++i) raw.insert(key(0, i));
  raw.database().execute("COMMIT").value();
  const auto store = SqliteStore::open({.path = folder.file("store.db"),
                                        .durability = sqlite::Durability::process_crash})
                         .value();
  on_threads(8, [&](int64_t thread) {
    for (int64_t i = thread; i < objects; i += 8) store->create(key(0, i), k_value).value();
  });
  double raw_time = 0;
  double store_time = 0;
  for (auto _ : state) {
    size_t raw_count = 0;
    size_t count = 0;
    raw_time += seconds([&] { raw_count = raw.list(); });
    const double time = seconds([&] { count = store->list({"things"}).value().entries.size(); });
    store_time += time;
    state.SetIterationTime(time);
    if (count != raw_count) state.SkipWithError("the list is incomplete");
  }
  state.SetItemsProcessed(state.iterations() * objects);
  state.counters["ratio"] = raw_time / store_time;
}
BENCHMARK(list)->Arg(100)->Arg(1'000)->Arg(10'000)->UseManualTime()->Unit(benchmark::kMillisecond);

// Counts what all watchers together are given.
class CountingWatcher final : public Watcher {
 public:
  explicit CountingWatcher(std::atomic<int64_t>& count) : count_(count) {}
  void on_events(std::span<const Event> events) override {
    count_ += static_cast<int64_t>(events.size());
  }
  void on_end(const base::Error&) override {}

 private:
  std::atomic<int64_t>& count_;
};

void fan_out(benchmark::State& state) {
  const int64_t watchers = state.range(0);
  constexpr int64_t k_writes = 200;
  const testing::TemporaryFolder folder;
  const auto store = SqliteStore::open({.path = folder.file("store.db"),
                                        .durability = sqlite::Durability::process_crash})
                         .value();
  store->create(key(0, 0), k_value).value();
  std::atomic<int64_t> delivered = 0;
  CountingWatcher watcher(delivered);
  std::vector<std::unique_ptr<Watch>> watches;
  for (int64_t i = 0; i < watchers; ++i)
    watches.push_back(store->watch({"things"}, store->head().value(), watcher).value());
  int64_t expected = 0;
  for (auto _ : state) {
    for (int64_t i = 0; i < k_writes; ++i) store->update(key(0, 0), k_value, {}).value();
    expected += watchers * k_writes;
    while (delivered < expected) std::this_thread::yield();
  }
  if (delivered != expected) state.SkipWithError("an event was delivered twice");
  state.SetItemsProcessed(expected);
}
BENCHMARK(fan_out)->Arg(1)->Arg(100)->Arg(1'000)->UseRealTime()->Unit(benchmark::kMillisecond);

// What a program that makes one call pays before it: the CNI plugin's start.
void make_client(benchmark::State& state) {
  for (auto _ : state) {
    kubernetes::Options options;
    options.access.server = "https://127.0.0.1:6443";
    options.access.insecure_skip_verify = true;
    benchmark::DoNotOptimize(kubernetes::KubernetesStore::create(options).value());
  }
}
BENCHMARK(make_client)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace margay::store
