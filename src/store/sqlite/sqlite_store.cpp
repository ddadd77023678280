#include "store/sqlite/sqlite_store.h"

#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/file_lock.h"
#include "store/sqlite/dispatcher.h"
#include "store/sqlite/listing.h"
#include "store/sqlite/reader_pool.h"
#include "store/sqlite/writer.h"

namespace margay::store::sqlite {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr size_t k_readers = 8;

// What the writer and the dispatcher keep of the file; and each reader, whose pages the kernel
// keeps as well.
constexpr int k_cache_kib = 16'384;
constexpr int k_reader_cache_kib = 1'024;

// One process at a time has the store. Its number is for the message to the next.
Result<base::FileLock> hold(const std::string& path, std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds k_poll{5};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  auto lock = base::FileLock::acquire(path);
  while (!lock && lock.error().code == ErrorCode::conflict &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(k_poll);
    lock = base::FileLock::acquire(path);
  }
  if (!lock && lock.error().code == ErrorCode::conflict) {
    const auto holder = base::read_file(path);
    return fail(ErrorCode::unavailable, fmt::format("{} is held: the store is open in process {}",
                                                    path, holder ? *holder : "unknown"));
  }
  if (lock) MARGAY_CHECK(lock->write(std::to_string(getpid())));
  return lock;
}

Result<Database> open_connection(const Options& options, int cache_kib) {
  MARGAY_TRY(auto database, Database::open(options.path));
  MARGAY_CHECK(database.keep_log());
  MARGAY_CHECK(database.execute(R"(
    PRAGMA journal_mode = WAL;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA secure_delete = FAST;
    PRAGMA temp_store = MEMORY;)"));
  MARGAY_CHECK(database.execute(fmt::format("PRAGMA cache_size = -{}", cache_kib).c_str()));
  MARGAY_CHECK(database.execute(options.durability == Durability::power_loss
                                    ? "PRAGMA synchronous = FULL"
                                    : "PRAGMA synchronous = NORMAL"));
  return database;
}

std::string reserve_file(const Options& options) { return options.path + ".reserve"; }

// As much as the write-ahead log takes when its pages move into the file. Of a small disk, a part.
size_t reserve_bytes(const std::string& path) {
  constexpr uintmax_t k_least = 128 << 10;
  constexpr uintmax_t k_most = 16 << 20;
  std::error_code error;
  const auto disk = std::filesystem::space(path, error);
  return error ? k_most : std::clamp(disk.capacity / 4, k_least, k_most);
}

// Whether history reaches from `from` on.
Result<> check_reach(const Extent& extent, Revision from) {
  if (from < extent.compacted)
    return fail(ErrorCode::too_old,
                fmt::format("the changes after revision {} are compacted up to {}", from,
                            extent.compacted));
  if (from > extent.head)
    return fail(
        ErrorCode::too_old,
        fmt::format("the store has not reached revision {}, it is at {}: the revision is of "
                    "another store",
                    from, extent.head));
  return {};
}

}  // namespace

// In the order they are made; destroyed the other way round.
struct SqliteStore::Engine {
  Engine(const Options& options, base::FileLock held, Database writing, Database dispatching,
         Extent extent)
      : lock(std::move(held)),
        readers([options] { return open_connection(options, k_reader_cache_kib); }, k_readers),
        dispatcher(std::move(dispatching), extent.head, options.progress_interval),
        writer(std::move(writing), extent,
               {.compaction = options.compaction,
                .on_commit = [this](Revision head) { dispatcher.committed(head); },
                .dispatched = [this] { return dispatcher.dispatched(); },
                .without_readers = [this](const auto& work) { readers.without_readers(work); },
                .reserve = reserve_file(options),
                .reserve_bytes = reserve_bytes(options.path)}) {}

  base::FileLock lock;
  ReaderPool readers;
  Dispatcher dispatcher;
  Writer writer;
};

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const Options& options) {
  MARGAY_TRY(auto lock, hold(options.path + ".lock", options.patience));
  auto opened = open_connection(options, k_cache_kib);
  // The log and its index need room: on a full disk what is held for that.
  if (!opened && opened.error().code == ErrorCode::unavailable) {
    DiskReserve(reserve_file(options), 0).release();
    opened = open_connection(options, k_cache_kib);
  }
  MARGAY_TRY(auto writing, std::move(opened));
  if (auto made = create_schema(writing); !made)
    return fail(std::move(made).error().wrap("store " + options.path));
  MARGAY_TRY(const auto extent, read_extent(writing));
  MARGAY_TRY(auto dispatching, open_connection(options, k_cache_kib));
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::make_unique<Engine>(
      options, std::move(lock), std::move(writing), std::move(dispatching), extent)));
}

SqliteStore::SqliteStore(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
SqliteStore::~SqliteStore() = default;

Result<Entry> SqliteStore::get(const Key& key) {
  MARGAY_TRY(auto reader, engine_->readers.take());
  MARGAY_TRY(auto query, (*reader).query(R"(
    SELECT v.revision, v.value FROM object o JOIN log v ON v.revision = o.revision
    WHERE o.resource = ?1 AND o.ns = ?2 AND o.name = ?3 AND NOT o.removed)"));
  MARGAY_TRY(const bool found,
             query.bind(1, key.resource).bind(2, key.ns).bind(3, key.name).step());
  if (!found) return fail(ErrorCode::not_found, describe(key) + " does not exist");
  return Entry{key, std::string(query.text(1)), query.integer(0)};
}

Result<List> SqliteStore::list(const Scope& scope, const ListOptions& options) {
  MARGAY_TRY(auto reader, engine_->readers.take());
  MARGAY_TRY(auto snapshot, Transaction::begin(*reader, Transaction::Type::read));
  return read_list(*reader, scope, options);
}

Result<Entry> SqliteStore::create(const Key& key, std::string value) {
  return write_one({.type = Write::Type::create, .key = key, .value = std::move(value)});
}

Result<Entry> SqliteStore::update(const Key& key, std::string value,
                                  std::optional<Revision> expected) {
  return write_one(
      {.type = Write::Type::update, .key = key, .value = std::move(value), .expected = expected});
}

Result<Entry> SqliteStore::remove(const Key& key, std::optional<Revision> expected) {
  return write_one({.type = Write::Type::remove, .key = key, .expected = expected});
}

Result<Entry> SqliteStore::write_one(Write write) {
  std::vector<Write> writes;
  writes.push_back(std::move(write));
  MARGAY_TRY(auto entries, engine_->writer.submit(std::move(writes)));
  return std::move(entries.front());
}

Result<std::vector<Entry>> SqliteStore::write(const std::vector<Write>& writes) {
  return engine_->writer.submit(writes);
}

Result<std::unique_ptr<Watch>> SqliteStore::watch(const Scope& scope, Revision from,
                                                  Watcher& watcher) {
  MARGAY_TRY(auto reader, engine_->readers.take());
  MARGAY_TRY(auto snapshot, Transaction::begin(*reader, Transaction::Type::read));
  MARGAY_TRY(const auto extent, read_extent(*reader));
  MARGAY_CHECK(check_reach(extent, from));
  return engine_->dispatcher.watch(scope, from, watcher);
}

Result<Changes> SqliteStore::changes(const Scope& scope, Revision from, size_t bytes) {
  MARGAY_TRY(auto reader, engine_->readers.take());
  MARGAY_TRY(auto snapshot, Transaction::begin(*reader, Transaction::Type::read));
  MARGAY_TRY(const auto extent, read_extent(*reader));
  MARGAY_CHECK(check_reach(extent, from));
  return read_log(*reader, scope,
                  {.after = from, .up_to = extent.head, .rows = 10'000, .bytes = bytes});
}

Result<Revision> SqliteStore::head() {
  MARGAY_TRY(auto reader, engine_->readers.take());
  MARGAY_TRY(auto snapshot, Transaction::begin(*reader, Transaction::Type::read));
  MARGAY_TRY(const auto extent, read_extent(*reader));
  return extent.head;
}

Result<> SqliteStore::compact(Revision revision) {
  MARGAY_TRY(const auto reached, head());
  if (revision > reached)
    return fail(ErrorCode::invalid, fmt::format("cannot compact to revision {}: the store is at {}",
                                                revision, reached));
  engine_->dispatcher.wait_until_dispatched(revision);
  return engine_->writer.compact_to(revision);
}

}  // namespace margay::store::sqlite
