#pragma once

// What every backend of the store does, as tests. A backend's test program includes this once and
// names its backends:
//
//   INSTANTIATE_TEST_SUITE_P(Sqlite, Conformance, ::testing::Values(BackendType{"sqlite", make}));
//
// The objects are valid Kubernetes objects, so that a backend behind an API server passes as well.
// What a test tells apart is an annotation, since such a backend adds metadata of its own.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <functional>
#include <stdexcept>
#include <thread>

#include "store/testing/recording_watcher.h"

namespace margay::store::testing {

// A fresh, empty store with the namespaces "alpha" and "beta" (where that means something).
class Backend {
 public:
  virtual ~Backend() = default;
  virtual Store& store() = 0;
  // Drops history before `revision`.
  virtual base::Result<> compact(Revision revision) = 0;
  // Ends the server (or closes the file) and comes back. References from store() become invalid.
  virtual void restart() = 0;
};

struct BackendType {
  std::string name;
  std::function<std::unique_ptr<Backend>()> make;
  bool tells_revision_of_removal = true;  // from remove(); the watch always does
  friend void PrintTo(const BackendType& type, std::ostream* out) { *out << type.name; }
};

inline const std::string k_config_maps = "configmaps";
inline const std::string k_network_sets = "globalnetworksets.projectcalico.org";

inline Key config_map(std::string name, std::string ns = "alpha") {
  return {k_config_maps, std::move(ns), std::move(name)};
}

inline std::string object(const Key& key, std::string_view payload) {
  const bool config = key.resource == k_config_maps;
  return fmt::format(
      R"({{"apiVersion":"{}","kind":"{}","metadata":{{"name":"{}"{},"annotations":{{"payload":"{}"}}}}}})",
      config ? "v1" : "projectcalico.org/v3", config ? "ConfigMap" : "GlobalNetworkSet", key.name,
      key.ns.empty() ? "" : fmt::format(R"(,"namespace":"{}")", key.ns), payload);
}

inline std::string payload(std::string_view value) {
  boost::system::error_code error;
  const auto json = boost::json::parse(value, error);
  if (error) return "not JSON: " + std::string(value);
  const auto* found = json.find_pointer("/metadata/annotations/payload", error);
  return found != nullptr && found->is_string() ? found->as_string().c_str() : "none";
}

// For what a test needs but does not test: its value, or the end of the test with the reason.
template <typename T>
T must(base::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

#define MARGAY_ASSERT_OK(result) \
  ASSERT_TRUE((result).has_value()) << ((result) ? "" : (result).error().message)

class Conformance : public ::testing::TestWithParam<BackendType> {
 protected:
  void SetUp() override { backend_ = GetParam().make(); }

  Store& store() { return backend_->store(); }
  base::Result<Entry> create(const Key& key, std::string_view text) {
    return store().create(key, object(key, text));
  }
  base::Result<Entry> update(const Key& key, std::string_view text,
                             std::optional<Revision> expected = {}) {
    return store().update(key, object(key, text), expected);
  }
  Revision head() { return store().list({k_config_maps}).value().revision; }
  std::vector<std::string> names(const Scope& scope) {
    std::vector<std::string> result;
    const auto list = store().list(scope).value();
    for (const auto& entry : list.entries)
      result.push_back(entry.key.ns.empty() ? entry.key.name : entry.key.ns + "/" + entry.key.name);
    return result;
  }

  std::unique_ptr<Backend> backend_;
};

// ---- objects and revisions --------------------------------------------------------------------

TEST_P(Conformance, GetsWhatWasCreated) {
  const auto created = create(config_map("a"), "one");
  MARGAY_ASSERT_OK(created);
  const auto got = store().get(config_map("a"));
  MARGAY_ASSERT_OK(got);
  EXPECT_EQ(got->key, config_map("a"));
  EXPECT_EQ(payload(got->value), "one");
  EXPECT_EQ(got->revision, created->revision);
  EXPECT_GT(got->revision, 0);
}

TEST_P(Conformance, RefusesToCreateTwiceAndKeepsTheFirst) {
  MARGAY_ASSERT_OK(create(config_map("a"), "one"));
  const auto again = create(config_map("a"), "two");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, base::ErrorCode::already_exists);
  EXPECT_EQ(payload(store().get(config_map("a"))->value), "one");
}

TEST_P(Conformance, SaysThatAnObjectDoesNotExist) {
  const auto key = config_map("nowhere");
  EXPECT_EQ(store().get(key).error().code, base::ErrorCode::not_found);
  EXPECT_EQ(update(key, "x").error().code, base::ErrorCode::not_found);
  EXPECT_EQ(update(key, "x", 5).error().code, base::ErrorCode::not_found);
  EXPECT_EQ(store().remove(key, {}).error().code, base::ErrorCode::not_found);
  EXPECT_EQ(store().remove(key, 5).error().code, base::ErrorCode::not_found);
}

TEST_P(Conformance, UpdatesAtTheExpectedRevisionOnly) {
  const auto first = create(config_map("a"), "one").value().revision;
  const auto second = update(config_map("a"), "two", first);
  MARGAY_ASSERT_OK(second);
  EXPECT_GT(second->revision, first);

  const auto stale = update(config_map("a"), "stale", first);
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, base::ErrorCode::conflict);
  EXPECT_EQ(payload(store().get(config_map("a"))->value), "two");

  MARGAY_ASSERT_OK(update(config_map("a"), "whatever it is"));
  EXPECT_EQ(payload(store().get(config_map("a"))->value), "whatever it is");
}

TEST_P(Conformance, RemovesAtTheExpectedRevisionOnlyAndReturnsTheLastValue) {
  const auto first = create(config_map("a"), "one").value().revision;
  const auto second = update(config_map("a"), "two").value().revision;
  EXPECT_EQ(store().remove(config_map("a"), first).error().code, base::ErrorCode::conflict);

  const auto removed = store().remove(config_map("a"), second);
  MARGAY_ASSERT_OK(removed);
  EXPECT_EQ(payload(removed->value), "two");
  if (GetParam().tells_revision_of_removal) {
    EXPECT_GT(removed->revision, second);
  }
  EXPECT_EQ(store().get(config_map("a")).error().code, base::ErrorCode::not_found);
}

TEST_P(Conformance, NeverUsesARevisionTwice) {
  std::vector<Revision> revisions;
  const Key set{k_network_sets, "", "numbers"};
  revisions.push_back(create(config_map("a"), "1").value().revision);
  revisions.push_back(create(set, "2").value().revision);
  revisions.push_back(update(config_map("a"), "3").value().revision);
  MARGAY_ASSERT_OK(store().remove(config_map("a"), {}));
  revisions.push_back(head());
  revisions.push_back(create(config_map("a"), "again").value().revision);
  revisions.push_back(update(set, "4").value().revision);
  for (size_t i = 1; i < revisions.size(); ++i) EXPECT_GT(revisions[i], revisions[i - 1]) << i;
}

// ---- several writes together ------------------------------------------------------------------

TEST_P(Conformance, MakesSeveralWritesInTheirOrder) {
  const auto b = create(config_map("b"), "old").value().revision;
  const auto c = create(config_map("c"), "old").value().revision;
  const auto written = store().write(
      {{.type = Write::Type::create, .key = config_map("a"), .value = object(config_map("a"), "1")},
       {.type = Write::Type::update,
        .key = config_map("b"),
        .value = object(config_map("b"), "2"),
        .expected = b},
       {.type = Write::Type::remove, .key = config_map("c"), .expected = c}});
  MARGAY_ASSERT_OK(written);
  ASSERT_EQ(written->size(), 3U);
  EXPECT_EQ(written->at(0).revision, store().get(config_map("a"))->revision);
  EXPECT_EQ(payload(written->at(1).value), "2");
  EXPECT_GT(written->at(1).revision, written->at(0).revision);
  EXPECT_EQ(written->at(2).key, config_map("c"));
  EXPECT_EQ(names({k_config_maps}), (std::vector<std::string>{"alpha/a", "alpha/b"}));
}

TEST_P(Conformance, EndsSeveralWritesAtTheFirstThatFails) {
  const auto b = create(config_map("b"), "old").value().revision;
  MARGAY_ASSERT_OK(update(config_map("b"), "newer"));
  const auto written = store().write({{.type = Write::Type::update,
                                       .key = config_map("b"),
                                       .value = object(config_map("b"), "stale"),
                                       .expected = b},
                                      {.type = Write::Type::create,
                                       .key = config_map("c"),
                                       .value = object(config_map("c"), "after it")}});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, base::ErrorCode::conflict);
  EXPECT_EQ(payload(store().get(config_map("b"))->value), "newer");
  EXPECT_EQ(store().get(config_map("c")).error().code, base::ErrorCode::not_found);
  MARGAY_ASSERT_OK(create(config_map("c"), "later"));
}

// ---- lists ------------------------------------------------------------------------------------

TEST_P(Conformance, ListsByThePrefixOfNames) {
  for (const auto* name : {"a", "node-1", "node-1-x", "node-10", "node-2", "z"})
    MARGAY_ASSERT_OK(create(config_map(name), ""));
  MARGAY_ASSERT_OK(create(config_map("node-1-y", "beta"), ""));
  MARGAY_ASSERT_OK(create({k_network_sets, "", "node-1-set"}, ""));
  const auto with_prefix = [&](const Scope& scope, const std::string& prefix, size_t limit) {
    std::vector<std::string> found;
    std::string resume;
    do {
      const auto page =
          must(store().list(scope, {.name_prefix = prefix, .limit = limit, .resume = resume}));
      for (const auto& entry : page.entries) found.push_back(entry.key.name);
      resume = page.resume;
    } while (!resume.empty());
    return found;
  };
  using Names = std::vector<std::string>;
  for (const size_t limit : {0, 1, 2}) {
    EXPECT_EQ(with_prefix({k_config_maps, "alpha"}, "node-1", limit),
              (Names{"node-1", "node-1-x", "node-10"}));
    EXPECT_EQ(with_prefix({k_config_maps, "alpha"}, "node-1-", limit), Names{"node-1-x"});
    EXPECT_EQ(with_prefix({k_config_maps, "beta"}, "node-1-", limit), Names{"node-1-y"});
    EXPECT_EQ(with_prefix({k_config_maps, "alpha"}, "none", limit), Names{});
    EXPECT_EQ(with_prefix({k_network_sets}, "node-1-", limit), Names{"node-1-set"});
    EXPECT_EQ(with_prefix({k_config_maps}, "node-1-", limit), (Names{"node-1-x", "node-1-y"}));
    EXPECT_EQ(with_prefix({k_config_maps}, "node-1", limit),
              (Names{"node-1", "node-1-x", "node-10", "node-1-y"}));
  }
}

TEST_P(Conformance, ListsByNamespaceThenNameAsBytes) {
  for (const auto* name : {"b", "a.b", "a", "a-b", "ab"})
    MARGAY_ASSERT_OK(create(config_map(name), ""));
  MARGAY_ASSERT_OK(create(config_map("a", "beta"), ""));
  MARGAY_ASSERT_OK(create({k_network_sets, "", "other"}, ""));

  using Names = std::vector<std::string>;
  EXPECT_EQ(names({k_config_maps}),
            (Names{"alpha/a", "alpha/a-b", "alpha/a.b", "alpha/ab", "alpha/b", "beta/a"}));
  EXPECT_EQ(names({k_config_maps, "beta"}), Names{"beta/a"});
  EXPECT_EQ(names({k_config_maps, "alpha", "ab"}), Names{"alpha/ab"});
  EXPECT_EQ(names({k_config_maps, "", "a"}), (Names{"alpha/a", "beta/a"}));
  EXPECT_EQ(names({k_network_sets}), Names{"other"});
  EXPECT_EQ(names({k_config_maps, "gamma"}), Names{});
}

TEST_P(Conformance, PagesThroughOneSnapshotWhileTheStoreChanges) {
  for (int i = 0; i < 25; ++i)
    MARGAY_ASSERT_OK(create(config_map(fmt::format("o{:02}", i)), "old"));

  auto page = store().list({k_config_maps, "alpha"}, {.limit = 10});
  MARGAY_ASSERT_OK(page);
  const Revision snapshot = page->revision;
  EXPECT_EQ(page->entries.size(), 10U);
  ASSERT_FALSE(page->resume.empty());
  EXPECT_EQ(page->remaining.value_or(15), 15U);

  // In what has been listed, and in what has not: a change, a removal, a removal and creation.
  for (const auto* part : {"o0", "o2"}) {
    MARGAY_ASSERT_OK(update(config_map(part + std::string("1")), "new"));
    MARGAY_ASSERT_OK(update(config_map(part + std::string("1")), "newer"));
    MARGAY_ASSERT_OK(store().remove(config_map(part + std::string("2")), {}));
    MARGAY_ASSERT_OK(store().remove(config_map(part + std::string("3")), {}));
    MARGAY_ASSERT_OK(create(config_map(part + std::string("3")), "new"));
    MARGAY_ASSERT_OK(create(config_map(part + std::string("1-created")), "new"));
  }

  std::vector<Entry> entries = page->entries;
  while (!page->resume.empty()) {
    page = store().list({k_config_maps, "alpha"}, {.limit = 10, .resume = page->resume});
    MARGAY_ASSERT_OK(page);
    EXPECT_EQ(page->revision, snapshot);
    entries.insert(entries.end(), page->entries.begin(), page->entries.end());
  }
  ASSERT_EQ(entries.size(), 25U);
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(entries[i].key.name, fmt::format("o{:02}", i));
    EXPECT_EQ(payload(entries[i].value), "old") << entries[i].key.name;
    EXPECT_LE(entries[i].revision, snapshot);
  }
}

TEST_P(Conformance, APageThatEndsTheListHasNoContinuation) {
  for (const auto* name : {"a", "b", "c", "d"}) MARGAY_ASSERT_OK(create(config_map(name), ""));
  const auto page = store().list({k_config_maps, "alpha"}, {.limit = 4});
  MARGAY_ASSERT_OK(page);
  EXPECT_EQ(page->entries.size(), 4U);
  EXPECT_TRUE(page->resume.empty());
}

TEST_P(Conformance, RefusesAMalformedContinuation) {
  for (const auto* token : {"nonsense", "5", "5:", "5:99:a", "-1:0:", "0:0:a"}) {
    const auto page = store().list({k_config_maps}, {.limit = 1, .resume = token});
    ASSERT_FALSE(page) << token;
    EXPECT_EQ(page.error().code, base::ErrorCode::invalid) << token;
  }
}

// ---- watches ----------------------------------------------------------------------------------

TEST_P(Conformance, AWatchFromAListDeliversWhatHappensAfterIt) {
  MARGAY_ASSERT_OK(create(config_map("before"), ""));
  const Revision from = head();
  RecordingWatcher watcher;
  const auto watch = store().watch({k_config_maps}, from, watcher);
  MARGAY_ASSERT_OK(watch);

  const auto created = create(config_map("a"), "one").value();
  MARGAY_ASSERT_OK(create({k_network_sets, "", "other"}, ""));
  const auto updated = update(config_map("a"), "two").value();
  const auto removed = store().remove(config_map("a"), {}).value();

  ASSERT_TRUE(watcher.wait_for_events(3));
  const auto events = watcher.events();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].type, Event::Type::created);
  EXPECT_EQ(events[0].entry.key, config_map("a"));
  EXPECT_EQ(events[0].entry.revision, created.revision);
  EXPECT_EQ(payload(events[0].entry.value), "one");
  EXPECT_EQ(events[1].type, Event::Type::updated);
  EXPECT_EQ(events[1].entry.revision, updated.revision);
  EXPECT_EQ(payload(events[1].entry.value), "two");
  EXPECT_EQ(events[2].type, Event::Type::removed);
  EXPECT_EQ(events[2].entry.key, config_map("a"));
  EXPECT_EQ(payload(events[2].entry.value), "two");
  EXPECT_GE(events[2].entry.revision, removed.revision);
  EXPECT_GT(events[2].entry.revision, updated.revision);
}

TEST_P(Conformance, AWatchIsLimitedToItsScope) {
  const Revision from = head();
  RecordingWatcher in_beta;
  RecordingWatcher named;
  const auto watch_beta = store().watch({k_config_maps, "beta"}, from, in_beta);
  const auto watch_named = store().watch({k_config_maps, "alpha", "a"}, from, named);
  MARGAY_ASSERT_OK(watch_beta);
  MARGAY_ASSERT_OK(watch_named);

  for (const auto* ns : {"alpha", "beta"}) {
    for (const auto* name : {"a", "b"}) MARGAY_ASSERT_OK(create(config_map(name, ns), ""));
  }
  const auto last_named = update(config_map("a", "alpha"), "last").value().revision;
  const auto last_beta = update(config_map("b", "beta"), "last").value().revision;

  ASSERT_TRUE(in_beta.wait_for_revision(last_beta));
  ASSERT_TRUE(named.wait_for_revision(last_named));
  EXPECT_EQ(in_beta.events().size(), 3U);
  for (const auto& event : in_beta.events()) EXPECT_EQ(event.entry.key.ns, "beta");
  EXPECT_EQ(named.events().size(), 2U);
  for (const auto& event : named.events()) EXPECT_EQ(event.entry.key, config_map("a"));
}

TEST_P(Conformance, WatchesThatStartAnywhereInHistorySeeEveryLaterChangeOnce) {
  constexpr int k_writes = 300;
  const Revision start = head();
  MARGAY_ASSERT_OK(create(config_map("busy"), "0"));
  std::vector<Revision> revisions{head()};

  // Watches start while the writer goes on: at the beginning, in the middle of history, at now.
  std::vector<std::unique_ptr<RecordingWatcher>> watchers;
  std::vector<std::unique_ptr<Watch>> watches;
  std::vector<Revision> starts;
  for (int i = 1; i <= k_writes; ++i) {
    revisions.push_back(update(config_map("busy"), std::to_string(i)).value().revision);
    if (i % 30 != 0) continue;
    for (const Revision from : {start, revisions[revisions.size() / 2], revisions.back()}) {
      watchers.push_back(std::make_unique<RecordingWatcher>());
      starts.push_back(from);
      auto watch = store().watch({k_config_maps}, from, *watchers.back());
      MARGAY_ASSERT_OK(watch);
      watches.push_back(*std::move(watch));
    }
  }
  const auto last = update(config_map("busy"), "last").value().revision;
  revisions.push_back(last);

  for (size_t i = 0; i < watchers.size(); ++i) {
    ASSERT_TRUE(watchers[i]->wait_for_revision(last)) << "watch from " << starts[i];
    std::vector<Revision> seen;
    for (const auto& event : watchers[i]->events()) seen.push_back(event.entry.revision);
    std::vector<Revision> expected = revisions;
    std::erase_if(expected, [&](Revision revision) { return revision <= starts[i]; });
    EXPECT_EQ(seen, expected) << "watch from " << starts[i];
  }
}

TEST_P(Conformance, AStoppedWatchIsNeverCalledAgain) {
  MARGAY_ASSERT_OK(create(config_map("a"), "0"));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) ASSERT_TRUE(update(config_map("a"), std::to_string(i)));
  });
  for (int i = 0; i < 20; ++i) {
    RecordingWatcher watcher;
    auto watch = store().watch({k_config_maps}, head(), watcher);
    EXPECT_TRUE(watch && watcher.wait_for_events(1));
    if (watch) watch->reset();
    const size_t calls = watcher.calls();
    EXPECT_TRUE(update(config_map("a"), "after"));
    EXPECT_EQ(watcher.calls(), calls);
  }
  stop = true;
  writer.join();
}

// ---- compaction and restart ---------------------------------------------------------------------

TEST_P(Conformance, CompactionKeepsWhatIsAndForgetsWhatWas) {
  MARGAY_ASSERT_OK(create(config_map("kept"), "first"));
  MARGAY_ASSERT_OK(create(config_map("gone"), ""));
  const Revision early = head();
  const auto old_page = store().list({k_config_maps}, {.limit = 1});
  MARGAY_ASSERT_OK(old_page);
  MARGAY_ASSERT_OK(update(config_map("kept"), "second"));
  MARGAY_ASSERT_OK(store().remove(config_map("gone"), {}));
  const Revision compacted = head();
  MARGAY_ASSERT_OK(backend_->compact(compacted));

  RecordingWatcher watcher;
  const auto too_old = store().watch({k_config_maps}, early, watcher);
  if (too_old) {  // some backends can only say so once the watch is under way
    const auto end = watcher.wait_for_end();
    ASSERT_TRUE(end);
    EXPECT_EQ(end->code, base::ErrorCode::too_old);
  } else {
    EXPECT_EQ(too_old.error().code, base::ErrorCode::too_old);
  }
  const auto next_page = store().list({k_config_maps}, {.limit = 1, .resume = old_page->resume});
  ASSERT_FALSE(next_page);
  EXPECT_EQ(next_page.error().code, base::ErrorCode::too_old);

  EXPECT_EQ(payload(store().get(config_map("kept"))->value), "second");
  EXPECT_EQ(names({k_config_maps, "alpha"}), std::vector<std::string>{"alpha/kept"});
  RecordingWatcher later;
  const auto watch = store().watch({k_config_maps}, compacted, later);
  MARGAY_ASSERT_OK(watch);
  MARGAY_ASSERT_OK(update(config_map("kept"), "third"));
  EXPECT_TRUE(later.wait_for_events(1));
}

TEST_P(Conformance, CompactionKeepsTheStateAtItsRevisionAndEverythingSince) {
  for (const auto* name : {"changed", "first", "removed"})
    MARGAY_ASSERT_OK(create(config_map(name), "old"));
  const auto page = store().list({k_config_maps, "alpha"}, {.limit = 1});
  MARGAY_ASSERT_OK(page);
  const Revision snapshot = page->revision;
  MARGAY_ASSERT_OK(store().remove(config_map("removed"), {}));
  MARGAY_ASSERT_OK(update(config_map("changed"), "new"));
  MARGAY_ASSERT_OK(backend_->compact(snapshot));

  const auto rest = store().list({k_config_maps, "alpha"}, {.limit = 5, .resume = page->resume});
  MARGAY_ASSERT_OK(rest);
  ASSERT_EQ(rest->entries.size(), 2U);
  EXPECT_EQ(rest->entries[1].key.name, "removed");
  EXPECT_EQ(payload(rest->entries[1].value), "old");
  RecordingWatcher watcher;
  const auto watch = store().watch({k_config_maps, "alpha"}, snapshot, watcher);
  MARGAY_ASSERT_OK(watch);
  ASSERT_TRUE(watcher.wait_for_events(2));
  EXPECT_EQ(watcher.events()[0].type, Event::Type::removed);
  EXPECT_EQ(payload(watcher.events()[0].entry.value), "old");
}

TEST_P(Conformance, ARevisionIsNotReusedAfterItsRowWasCompacted) {
  MARGAY_ASSERT_OK(create(config_map("a"), ""));
  const auto removal = store().remove(config_map("a"), {}).value().revision;
  MARGAY_ASSERT_OK(backend_->compact(head()));
  backend_->restart();
  EXPECT_GT(create(config_map("a"), "").value().revision, removal);
}

TEST_P(Conformance, EverythingIsThereAfterARestart) {
  const auto created = create(config_map("a"), "one").value();
  const auto updated = update(config_map("a"), "two").value();
  const Revision before = head();
  backend_->restart();

  EXPECT_EQ(payload(store().get(config_map("a"))->value), "two");
  EXPECT_EQ(store().get(config_map("a"))->revision, updated.revision);
  EXPECT_GE(head(), before);
  RecordingWatcher watcher;
  const auto watch = store().watch({k_config_maps}, created.revision, watcher);
  MARGAY_ASSERT_OK(watch);
  const auto next = update(config_map("a"), "three").value();
  EXPECT_GT(next.revision, before);
  ASSERT_TRUE(watcher.wait_for_events(2));
  EXPECT_EQ(watcher.events()[0].entry.revision, updated.revision);
  EXPECT_EQ(watcher.events()[1].entry.revision, next.revision);
}

// ---- races --------------------------------------------------------------------------------------

TEST_P(Conformance, OfManyCreatorsOneWins) {
  std::atomic<int> won = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const auto result = create(config_map("contended"), std::to_string(i));
      if (result) {
        ++won;
      } else {
        EXPECT_EQ(result.error().code, base::ErrorCode::already_exists);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
}

TEST_P(Conformance, CompareAndSwapLosesNoIncrement) {
  constexpr int k_threads = 6;
  constexpr int k_increments = 20;
  MARGAY_ASSERT_OK(create(config_map("counter"), "0"));
  const auto increment = [&] {
    for (;;) {
      const auto current = store().get(config_map("counter")).value();
      const int next = std::stoi(payload(current.value)) + 1;
      const auto updated = update(config_map("counter"), std::to_string(next), current.revision);
      if (updated) return;
      ASSERT_EQ(updated.error().code, base::ErrorCode::conflict) << updated.error().message;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < k_threads; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < k_increments; ++n) increment();
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(payload(store().get(config_map("counter"))->value),
            std::to_string(k_threads * k_increments));
}

}  // namespace margay::store::testing
