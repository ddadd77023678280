// What is SQLite's own; what every store does is in conformance_test.cpp.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <thread>

#include "store/sqlite/sqlite_fixture.h"
#include "store/testing/recording_watcher.h"

namespace margay::store::sqlite {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using base::ErrorCode;
using testing::RecordingWatcher;

// ---- opening ----------------------------------------------------------------------------------

TEST_F(SqliteStoreTest, IsOpenedOnceAndSaysByWhom) {
  const auto first = open();
  const auto second = SqliteStore::open({.path = path_});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::unavailable);
  EXPECT_NE(second.error().message.find(fmt::format("process {}", ::getpid())), std::string::npos)
      << second.error().message;
}

TEST_F(SqliteStoreTest, CanBeOpenedAgainOnceItIsClosed) {
  open().reset();
  EXPECT_TRUE(SqliteStore::open({.path = path_}));
}

TEST_F(SqliteStoreTest, IsReadableByItsOwnerOnly) {
  const auto store = open();
  ASSERT_TRUE(store->create(thing("secret"), "value"));
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    const auto mode = std::filesystem::status(path_ + suffix).permissions();
    EXPECT_EQ(mode & std::filesystem::perms(0077), std::filesystem::perms::none) << suffix;
  }
}

TEST_F(SqliteStoreTest, RefusesAFolderThatDoesNotExist) {
  const auto store = SqliteStore::open({.path = folder_.file("no/such/store.db")});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::not_found);
}

TEST_F(SqliteStoreTest, RefusesADatabaseOfAnotherProgram) {
  execute("CREATE TABLE theirs (a)");
  const auto store = SqliteStore::open({.path = path_});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::invalid);
}

TEST_F(SqliteStoreTest, RefusesALaterSchema) {
  open().reset();
  execute("PRAGMA user_version = 3");
  const auto store = SqliteStore::open({.path = path_});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::unsupported);
}

TEST_F(SqliteStoreTest, TakesOverAFileOfVersionOne) {
  const Revision removal = [this] {
    const auto store = open();
    EXPECT_TRUE(store->create(thing("kept"), "old"));
    EXPECT_TRUE(store->update(thing("kept"), "new", {}));
    EXPECT_TRUE(store->create(thing("gone"), ""));
    return store->remove(thing("gone"), {}).value().revision;
  }();
  // What version 1 made of that.
  execute(
      "DELETE FROM object WHERE removed; ALTER TABLE object DROP COLUMN removed;"
      "DROP TABLE collection; PRAGMA user_version = 1");
  const auto store = open();
  EXPECT_EQ(store->head().value(), removal);
  EXPECT_EQ(store->get(thing("kept"))->value, "new");
  EXPECT_EQ(store->list({"things"}).value().entries.size(), 1U);
  ASSERT_TRUE(store->create(thing("gone"), "again"));
  EXPECT_EQ(store->list({"things"}, {.limit = 1}).value().remaining, 1U);
  RecordingWatcher watcher;
  EXPECT_EQ(store->watch({"things"}, removal - 1, watcher).error().code, ErrorCode::too_old);
  EXPECT_TRUE(store->watch({"things"}, removal, watcher));
}

TEST_F(SqliteStoreTest, RefusesAFileThatIsNoDatabase) {
  std::ofstream(path_) << std::string(10'000, 'x');
  const auto store = SqliteStore::open({.path = path_});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::internal);
  EXPECT_NE(store.error().message.find("not a database"), std::string::npos);
}

// ---- several writes together ------------------------------------------------------------------

TEST_F(SqliteStoreTest, KeepsNothingOfSeveralWritesOfWhichOneIsRefused) {
  const auto store = open();
  const auto head = store->create(thing("b"), "old")->revision;
  const auto written =
      store->write({{.type = Write::Type::create, .key = thing("a"), .value = "new"},
                    {.type = Write::Type::update, .key = thing("b"), .value = "new"},
                    {.type = Write::Type::update, .key = thing("missing"), .value = "new"}});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::not_found);
  EXPECT_EQ(store->get(thing("a")).error().code, ErrorCode::not_found);
  EXPECT_EQ(store->get(thing("b"))->value, "old");
  EXPECT_EQ(store->head().value(), head);
  EXPECT_EQ(store->create(thing("a"), "later")->revision, head + 1);
}

// ---- values -----------------------------------------------------------------------------------

TEST_F(SqliteStoreTest, KeepsValuesByteForByte) {
  const auto store = open();
  const auto strange = "\0quote ' \" \xff\xfe \n end\0"s;
  ASSERT_TRUE(store->create(thing("strange"), strange));
  ASSERT_TRUE(store->create(thing("empty"), ""));
  ASSERT_TRUE(store->create(thing("large"), std::string(3U << 20U, 'x')));
  EXPECT_EQ(store->get(thing("strange"))->value, strange);
  EXPECT_EQ(store->get(thing("empty"))->value, "");
  EXPECT_EQ(store->get(thing("large"))->value.size(), 3U << 20U);
}

TEST_F(SqliteStoreTest, AnEmptyStoreHasARevision) { EXPECT_EQ(open()->head().value(), 1); }

// ---- watches ------------------------------------------------------------------------------------

TEST_F(SqliteStoreTest, TellsProgressThoughOnlyOtherResourcesChange) {
  const auto store = open();
  RecordingWatcher watcher;
  const auto watch = store->watch({"things"}, 1, watcher).value();
  const auto other = store->create({"others", "", "a"}, "").value();
  EXPECT_TRUE(watcher.wait_for_progress(other.revision));
  EXPECT_TRUE(watcher.events().empty());
}

TEST_F(SqliteStoreTest, AWatchFromARevisionOfAnotherStoreIsTooOld) {
  const auto store = open();
  RecordingWatcher watcher;
  const auto watch = store->watch({"things"}, 1'000, watcher);
  ASSERT_FALSE(watch);
  EXPECT_EQ(watch.error().code, ErrorCode::too_old);
}

TEST_F(SqliteStoreTest, ReplaysMoreHistoryThanIsReadAtOnce) {
  const auto store = open();
  ASSERT_TRUE(store->create(thing("a"), ""));
  Revision last = 0;
  for (int i = 0; i < 2'500; ++i) last = store->update(thing("a"), "", {}).value().revision;
  RecordingWatcher watcher;
  const auto watch = store->watch({"things"}, 1, watcher).value();
  ASSERT_TRUE(watcher.wait_for_revision(last));
  EXPECT_EQ(watcher.events().size(), 2'501U);
}

TEST_F(SqliteStoreTest, ClosingTheStoreEndsItsWatches) {
  auto store = open();
  RecordingWatcher watcher;
  const auto watch = store->watch({"things"}, 1, watcher).value();
  store.reset();
  const auto end = watcher.wait_for_end();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, ErrorCode::unavailable);
}

TEST_F(SqliteStoreTest, AThousandWatchersSeeEveryChangeInOrder) {
  const auto store = open();
  std::vector<std::unique_ptr<RecordingWatcher>> watchers;
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < 1'000; ++i) {
    watchers.push_back(std::make_unique<RecordingWatcher>());
    const std::string ns = i % 2 == 0 ? "" : "ns";
    watches.push_back(store->watch({"things", ns}, 1, *watchers.back()).value());
  }
  ASSERT_TRUE(store->create(thing("a"), ""));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store->update(thing("a"), std::to_string(i), {}));
  for (const auto& watcher : watchers) {
    ASSERT_TRUE(watcher->wait_for_events(21));
    const auto events = watcher->events();
    for (size_t i = 1; i < events.size(); ++i)
      ASSERT_EQ(events[i].entry.revision, events[i - 1].entry.revision + 1);
  }
}

// ---- reading at one's own pace
// ---------------------------------------------------------------------

TEST_F(SqliteStoreTest, PagesEndWhereTheirBytesDo) {
  const auto store = open();
  for (const auto* name : {"a", "b", "c", "d"})
    ASSERT_TRUE(store->create(thing(name), std::string(100, 'v')));
  const auto names = [](const List& page) {
    std::string out;
    for (const auto& entry : page.entries) out += entry.key.name;
    return out;
  };
  auto page = store->list({"things"}, {.bytes = 150}).value();
  EXPECT_EQ(names(page), "ab") << "with the entry that brings it there";
  ASSERT_TRUE(store->create(thing("ba"), "too late"));
  const auto revision = page.revision;
  page = store->list({"things"}, {.resume = page.resume, .bytes = 1}).value();
  EXPECT_EQ(names(page), "c");
  page = store->list({"things"}, {.resume = page.resume, .bytes = 100}).value();
  EXPECT_EQ(names(page), "d");
  EXPECT_EQ(page.resume, "");
  EXPECT_EQ(page.revision, revision);
  EXPECT_EQ(names(store->list({"things"}, {.limit = 1, .bytes = 1'000}).value()), "a");
}

TEST_F(SqliteStoreTest, ChangesComeInPiecesAndInOrder) {
  const auto store = open();
  const auto from = store->head().value();
  for (const auto* name : {"a", "b"})
    ASSERT_TRUE(store->create(thing(name), std::string(100, 'v')));
  ASSERT_TRUE(store->create({"others", "", "x"}, "x"));
  ASSERT_TRUE(store->remove(thing("a"), {}));
  auto changes = store->changes({"things"}, from, 1).value();
  ASSERT_EQ(changes.events.size(), 1u);
  EXPECT_EQ(changes.events[0].entry.key.name, "a");
  EXPECT_EQ(changes.up_to, changes.events[0].entry.revision);
  changes = store->changes({"things"}, changes.up_to, 1'000).value();
  ASSERT_EQ(changes.events.size(), 2u);
  EXPECT_EQ(changes.events[1].type, Event::Type::removed);
  EXPECT_EQ(changes.events[1].entry.value, std::string(100, 'v')) << "a removal's last value";
  EXPECT_EQ(changes.up_to, store->head().value());
  EXPECT_TRUE(store->changes({"things"}, changes.up_to, 1)->events.empty());
  const auto named = store->changes({"things", "", "b"}, from, 1'000).value();
  ASSERT_EQ(named.events.size(), 1u);
  EXPECT_EQ(named.up_to, store->head().value());
}

// To the very end of history: the first change after what was compacted knows it too.
TEST_F(SqliteStoreTest, AnUpdateComesWithTheValueBefore) {
  const auto store = open();
  ASSERT_TRUE(store->create(thing("a"), "1"));
  ASSERT_TRUE(store->update(thing("a"), "2", {}));
  ASSERT_TRUE(store->compact(store->head().value()));
  const auto from = store->head().value();
  RecordingWatcher watcher;
  const auto watch = store->watch({"things"}, from, watcher);
  ASSERT_TRUE(store->update(thing("a"), "3", {}));
  ASSERT_TRUE(store->remove(thing("a"), {}));
  ASSERT_TRUE(store->create(thing("a"), "4"));
  const auto before = [](const std::vector<Event>& events) {
    std::vector<std::string> values;
    for (const auto& event : events) values.push_back(event.previous + ">" + event.entry.value);
    return values;
  };
  const std::vector<std::string> expected{"2>3", ">3", ">4"};
  ASSERT_TRUE(watcher.wait_for_events(3));
  EXPECT_EQ(before(watcher.events()), expected);
  EXPECT_EQ(before(store->changes({"things"}, from, 1'000)->events), expected);
}

TEST_F(SqliteStoreTest, ChangesThatAreGoneOrNotYetMadeAreTooOld) {
  const auto store = open();
  const auto from = store->head().value();
  for (const auto* name : {"a", "b"}) ASSERT_TRUE(store->create(thing(name), ""));
  const auto head = store->head().value();
  ASSERT_TRUE(store->compact(head));
  for (const auto revision : {from, head + 1}) {
    const auto changes = store->changes({"things"}, revision, 1);
    ASSERT_FALSE(changes);
    EXPECT_EQ(changes.error().code, ErrorCode::too_old);
  }
  EXPECT_TRUE(store->changes({"things"}, head, 1));
}

TEST_F(SqliteStoreTest, WatchesFromThePastGetLargeValuesInPieces) {
  const auto store = open();
  const auto from = store->head().value();
  for (int i = 0; i < 8; ++i)
    ASSERT_TRUE(store->create(thing(std::to_string(i)), std::string(1 << 20, 'v')));
  RecordingWatcher watcher;
  const auto watch = store->watch({"things"}, from, watcher);
  ASSERT_TRUE(watch);
  ASSERT_TRUE(watcher.wait_for_events(8));
  const auto events = watcher.events();
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].entry.key.name, std::to_string(i));
}

// ---- compaction
// -----------------------------------------------------------------------------------

TEST_F(SqliteStoreTest, CompactsByItselfDownToTheLimit) {
  const auto store = open({.max_age = 1h, .max_revisions = 10, .interval = 5ms});
  ASSERT_TRUE(store->create(thing("a"), ""));
  Revision last = 0;
  for (int i = 0; i < 50; ++i) last = store->update(thing("a"), "", {}).value().revision;
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  ErrorCode code = ErrorCode::internal;
  while (code != ErrorCode::too_old && std::chrono::steady_clock::now() < deadline) {
    RecordingWatcher watcher;
    const auto watch = store->watch({"things"}, last - 11, watcher);
    if (!watch) code = watch.error().code;
    std::this_thread::yield();
  }
  EXPECT_EQ(code, ErrorCode::too_old);
  RecordingWatcher watcher;
  EXPECT_TRUE(store->watch({"things"}, last - 10, watcher));
  EXPECT_EQ(store->get(thing("a"))->revision, last);
}

TEST_F(SqliteStoreTest, RefusesToCompactWhatHasNotHappened) {
  const auto compacted = open()->compact(100);
  ASSERT_FALSE(compacted);
  EXPECT_EQ(compacted.error().code, ErrorCode::invalid);
}

TEST_F(SqliteStoreTest, CompactionLeavesOneRowPerObject) {
  auto store = open();
  for (const auto* name : {"a", "b", "gone"}) ASSERT_TRUE(store->create(thing(name), ""));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(store->update(thing("a"), "", {}));
  ASSERT_TRUE(store->remove(thing("gone"), {}));
  ASSERT_TRUE(store->compact(store->head().value()));
  store.reset();
  auto database = Database::open(path_).value();
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM log").value(), 2);
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM object").value(), 2);
}

// SQLite's locks keep whoever else looks into the file from taking himself for its last user, who
// tidies the log away.
TEST_F(SqliteStoreTest, AnotherProgramThatReadsTheFileLeavesTheLogAlone) {
  const auto store = open();
  ASSERT_TRUE(store->create(thing("a"), "v"));
  ASSERT_TRUE(store->get(thing("a"))) << "a reader's connection is open, too";
  const pid_t child = ::fork();
  if (child == 0) {
    sqlite3* other = nullptr;
    const bool read =
        sqlite3_open_v2(path_.c_str(), &other, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK &&
        sqlite3_exec(other, "SELECT count(*) FROM log", nullptr, nullptr, nullptr) == SQLITE_OK;
    sqlite3_close(other);
    ::_exit(read ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  struct stat log{};
  ASSERT_EQ(::stat((path_ + "-wal").c_str(), &log), 0) << "removed under the store";
  ASSERT_TRUE(store->create(thing("b"), "v"));
}

// Reads that always overlap would keep SQLite from ever beginning its log anew.
TEST_F(SqliteStoreTest, TheLogStaysShortHoweverManyRead) {
  const auto store = open();
  for (int i = 0; i < 2'000; ++i)
    ASSERT_TRUE(store->create(thing(std::to_string(i)), std::string(1'000, 'v')));
  std::atomic<bool> stop = false;
  std::vector<std::jthread> readers;
  for (int i = 0; i < 4; ++i)
    readers.emplace_back([&] {
      while (!stop) EXPECT_TRUE(store->list({"things"}, {}));
    });
  for (int i = 0; i < 600; ++i)
    ASSERT_TRUE(store->update(thing("0"), std::string(200'000, 'w'), std::nullopt));  // 120 MB
  stop = true;
  EXPECT_LT(std::filesystem::file_size(path_ + "-wal"), 80u << 20);
}

}  // namespace
}  // namespace margay::store::sqlite
