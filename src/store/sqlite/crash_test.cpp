// What a killed process leaves behind: a writer is killed with SIGKILL in the middle of its work,
// again and again, and what it had been told was written must be there each time.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <random>
#include <thread>

#include "store/sqlite/database.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::store::sqlite {
namespace {

using namespace std::chrono_literals;

constexpr int k_rounds = 15;
constexpr size_t k_writers = 4;
// Each writer goes on with a pair of keys of its own, written together: create, five updates,
// remove, create, ...
constexpr int64_t k_cycle = 7;

struct Acknowledged {
  size_t writer = 0;
  int64_t step = 0;
  Revision revision = 0;
};
using Steps = std::array<int64_t, k_writers>;  // the last step each writer's key has seen; -1: none

Key key_of(size_t writer) { return {"things", "crash", fmt::format("key-{}", writer)}; }
Key twin_of(size_t writer) { return {"things", "crash", fmt::format("twin-{}", writer)}; }
bool exists_after(int64_t step) { return step >= 0 && step % k_cycle != k_cycle - 1; }

base::Result<std::unique_ptr<SqliteStore>> open_store(const std::string& path) {
  // Compaction all the time, so that it is killed in the middle as well.
  return SqliteStore::open(
      {.path = path, .compaction = {.max_age = 1h, .max_revisions = 40, .interval = 2ms}});
}

base::Result<Entry> take_step(SqliteStore& store, size_t writer, int64_t step) {
  const auto type = step % k_cycle == 0  ? Write::Type::create
                    : exists_after(step) ? Write::Type::update
                                         : Write::Type::remove;
  const auto value = std::to_string(step);
  MARGAY_TRY(const auto written,
             store.write({{.type = type, .key = key_of(writer), .value = value},
                          {.type = type, .key = twin_of(writer), .value = value}}));
  return written.back();
}

// The process that gets killed: never returns.
[[noreturn]] void write_until_killed(const std::string& path, const Steps& steps, int report) {
  auto store = open_store(path);
  if (!store) ::_exit(1);
  std::vector<std::thread> threads;
  for (size_t writer = 0; writer < k_writers; ++writer) {
    threads.emplace_back([&, writer] {
      for (int64_t step = steps[writer] + 1;; ++step) {
        const auto written = take_step(**store, writer, step);
        if (!written) ::_exit(2);
        const Acknowledged record{writer, step, written->revision};
        if (::write(report, &record, sizeof record) != sizeof record) ::_exit(3);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ::_exit(4);
}

// Kills the writers once they were told of `count` writes; returns all they were told of.
std::vector<Acknowledged> run_and_kill(const std::string& path, const Steps& steps, size_t count) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe[0]);
    write_until_killed(path, steps, pipe[1]);
  }
  ::close(pipe[1]);
  std::vector<Acknowledged> told;
  Acknowledged record;
  while (::read(pipe[0], &record, sizeof record) == sizeof record) {
    told.push_back(record);
    if (told.size() == count) ::kill(child, SIGKILL);
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the writer gave up with status " << WEXITSTATUS(status);
  return told;
}

void expect_sound_file(const std::string& path) {
  auto database = Database::open(path).value();
  auto check = database.query("PRAGMA integrity_check").value();
  ASSERT_TRUE(check.step().value());
  EXPECT_EQ(check.text(0), "ok");
  const auto count = [&](std::string_view sql) { return database.query_integer(sql).value(); };
  EXPECT_EQ(count("SELECT count(*) FROM object o LEFT JOIN log l USING (revision) WHERE "
                  "l.revision IS NULL OR (l.type = 2) <> o.removed OR l.name <> o.name"),
            0)
      << "objects without their row in the log";
  EXPECT_EQ(count("SELECT count(*) FROM log l LEFT JOIN object o USING (revision) WHERE "
                  "o.revision IS NULL AND NOT EXISTS "
                  "(SELECT 1 FROM log n WHERE n.previous = l.revision)"),
            0)
      << "rows that are neither current nor replaced";
  EXPECT_EQ(count("SELECT count(*) FROM collection FULL JOIN (SELECT resource, ns, count(*) AS n "
                  "FROM object WHERE NOT removed GROUP BY resource, ns) USING (resource, ns) WHERE "
                  "objects IS NOT n"),
            0)
      << "objects that are not counted, or counted twice";
}

// The key is as its last acknowledged step left it, or as the step that was under way did.
int64_t find_step(SqliteStore& store, size_t writer, int64_t acknowledged) {
  const auto entry = store.get(key_of(writer));
  const auto twin = store.get(twin_of(writer));
  EXPECT_EQ(entry ? entry->value : "none", twin ? twin->value : "none") << "half of a write";
  for (const int64_t step : {acknowledged, acknowledged + 1}) {
    if (!entry && !exists_after(step)) return step;
    if (entry && exists_after(step) && entry->value == std::to_string(step)) return step;
  }
  ADD_FAILURE() << "writer " << writer << ": step " << acknowledged << " is lost; found "
                << (entry ? entry->value : entry.error().message);
  return acknowledged;
}

TEST(Crash, KeepsEveryAcknowledgedWriteAndNeverReusesARevision) {
  const testing::TemporaryFolder folder;
  const auto path = folder.file("store.db");
  const auto seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::minstd_rand random(seed);

  Steps steps;
  steps.fill(-1);
  Revision newest = 0;
  for (int round = 0; round < k_rounds; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    const auto told = run_and_kill(path, steps, 1 + random() % 150);
    ASSERT_FALSE(told.empty());
    Revision newest_in_round = newest;
    for (const auto& [writer, step, revision] : told) {
      EXPECT_GT(revision, newest) << "used in an earlier round";
      newest_in_round = std::max(newest_in_round, revision);
      steps[writer] = std::max(steps[writer], step);
    }
    newest = newest_in_round;

    expect_sound_file(path);
    auto store = open_store(path);
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_GE((*store)->head().value(), newest);
    for (size_t writer = 0; writer < k_writers; ++writer)
      steps[writer] = find_step(**store, writer, steps[writer]);
  }
}

}  // namespace
}  // namespace margay::store::sqlite
