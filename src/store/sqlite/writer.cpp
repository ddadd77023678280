#include "store/sqlite/writer.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace margay::store::sqlite {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// Revisions compacted in one transaction: short enough that a write never waits long for it.
constexpr Revision k_compaction_step = 1'000;

// By how much an object may grow on a full disk: a mark that it is to be removed, a condition.
constexpr size_t k_mark_bytes = 1'024;

std::optional<base::Error> refusal(const Write& write, Revision current) {
  if (write.type == Write::Type::create) {
    if (current == 0) return std::nullopt;
    return base::Error{ErrorCode::already_exists, describe(write.key) + " already exists", {}};
  }
  if (current == 0)
    return base::Error{ErrorCode::not_found, describe(write.key) + " does not exist", {}};
  if (write.expected.value_or(current) == current) return std::nullopt;
  return base::Error{ErrorCode::conflict,
                     fmt::format("{} has changed: it is at revision {}, not {}",
                                 describe(write.key), current, *write.expected),
                     {}};
}

RowType row_type(Write::Type type) {
  if (type == Write::Type::create) return RowType::created;
  return type == Write::Type::update ? RowType::updated : RowType::removed;
}

}  // namespace

Writer::Writer(Database database, Extent extent, Options options)
    : database_(std::move(database)),
      options_(std::move(options)),
      schedule_(options_.compaction),
      state_{.extent = extent},
      reserve_(options_.reserve, options_.reserve_bytes),
      thread_([this] {
        database_.watch_log();
        run();
      }) {}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

Result<std::vector<Entry>> Writer::submit(std::vector<Write> writes) {
  Request request{.writes = std::move(writes)};
  return wait_for(request);
}

Result<> Writer::compact_to(Revision revision) {
  Request request{.compact_to = revision};
  MARGAY_CHECK(wait_for(request));
  return {};
}

Result<std::vector<Entry>> Writer::wait_for(Request& request) {
  std::unique_lock lock(mutex_);
  if (stopping_) return fail(ErrorCode::unavailable, "the store is closing");
  queue_.push_back(&request);
  if (queue_.size() == 1) work_.notify_one();
  request.wake.wait(lock, [&] { return request.done; });
  return std::move(request.result);
}

void Writer::run() {
  auto next_look = std::chrono::steady_clock::now();
  for (;;) {
    const auto batch = take_requests(next_look);
    if (!batch.empty()) commit(batch);
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_look || schedule_.is_due(state_.written)) {
      target_ = std::max(target_, schedule_.observe(now, state_.extent.head, state_.written));
      reserve_.hold();
      look_at_the_disk();
      next_look = now + options_.compaction.interval;
    }
    compact_on_schedule();
    const std::lock_guard lock(mutex_);
    if (stopping_ && queue_.empty()) return;
  }
}

std::vector<Writer::Request*> Writer::take_requests(CompactionSchedule::Time deadline) {
  const bool busy = target_ > state_.extent.compacted;
  std::unique_lock lock(mutex_);
  if (!busy) work_.wait_until(lock, deadline, [this] { return stopping_ || !queue_.empty(); });
  return std::exchange(queue_, {});
}

void Writer::commit(const std::vector<Request*>& batch) {
  if (!reserve_.is_held()) look_at_the_disk();
  const State before = state_;
  if (auto committed = commit_transaction(batch); !committed) {
    state_ = before;
    for (auto* request : batch) request->result = fail(committed.error());
    if (committed.error().code == ErrorCode::unavailable) make_room();
  }
  keep_log_short();
  // Watches first: whoever is answered and asks may find its change already delivered.
  if (state_.extent.head != before.extent.head) options_.on_commit(state_.extent.head);
  answer(batch);
}

Result<> Writer::commit_transaction(const std::vector<Request*>& batch) {
  MARGAY_TRY(auto transaction, Transaction::begin(database_, Transaction::Type::write));
  for (auto* request : batch) MARGAY_CHECK(apply(*request));
  return transaction.commit();
}

void Writer::answer(const std::vector<Request*>& batch) {
  const std::lock_guard lock(mutex_);
  for (auto* request : batch) {
    request->done = true;
    request->wake.notify_one();  // under the lock: the request is gone once its caller runs
  }
}

Result<> Writer::apply(Request& request) {
  if (request.compact_to != 0) return compact(request.compact_to);
  if (request.writes.size() <= 1) return apply_all(request);
  const State before = state_;
  MARGAY_CHECK(database_.execute("SAVEPOINT batch"));
  MARGAY_CHECK(apply_all(request));
  if (!request.result) {
    state_ = before;
    MARGAY_CHECK(database_.execute("ROLLBACK TO batch"));
  }
  return database_.execute("RELEASE batch");
}

Result<> Writer::apply_all(Request& request) {
  std::vector<Entry> entries(request.writes.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    MARGAY_TRY(auto refused, apply(request.writes[i], entries[i]));
    if (!refused) continue;
    request.result = fail(*std::move(refused));
    return {};
  }
  request.result = std::move(entries);
  return {};
}

Result<std::optional<base::Error>> Writer::apply(Write& write, Entry& entry) {
  MARGAY_TRY(const Last last, last_of(write.key));
  if (auto refused = refusal(write, last.removed ? 0 : last.revision)) return refused;
  if (is_full_ && write.type == Write::Type::create)
    return base::Error{ErrorCode::unavailable,
                       "the store's disk is full: until there is room, objects can be changed and "
                       "removed, but not created",
                       {}};
  if (is_full_ && write.type == Write::Type::update) {
    MARGAY_TRY(const auto value, value_of(last.revision));
    const size_t more = write.value.size() - std::min(write.value.size(), value.size());
    if (more > k_mark_bytes || state_.grown + more > options_.reserve_bytes / 8)
      return base::Error{ErrorCode::unavailable,
                         "the store's disk is full: until there is room, objects cannot grow",
                         {}};
    state_.grown += more;
  }
  MARGAY_TRY(entry, append(write, last.revision));
  return std::nullopt;
}

Result<Writer::Last> Writer::last_of(const Key& key) {
  MARGAY_TRY(auto query, database_.query(R"(
    SELECT revision, removed FROM object WHERE resource = ?1 AND ns = ?2 AND name = ?3)"));
  MARGAY_TRY(const bool known,
             query.bind(1, key.resource).bind(2, key.ns).bind(3, key.name).step());
  return known ? Last{query.integer(0), query.integer(1) != 0} : Last{};
}

Result<Entry> Writer::append(Write& write, Revision previous) {
  const bool removal = write.type == Write::Type::remove;
  if (removal) {
    MARGAY_TRY(write.value, value_of(previous));
  }
  const Revision revision = ++state_.extent.head;
  MARGAY_TRY(auto query, database_.query("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
  query.bind(1, revision).bind(2, write.key.resource).bind(3, write.key.ns).bind(4, write.key.name);
  query.bind(5, static_cast<int64_t>(row_type(write.type))).bind(6, previous);
  if (!removal) query.bind(7, write.value);
  MARGAY_CHECK(query.run());
  if (!removal) state_.written += write.value.size();
  MARGAY_CHECK(point_object_at(write, revision));
  MARGAY_CHECK(count_objects(write));
  return Entry{std::move(write.key), std::move(write.value), revision};
}

Result<std::string> Writer::value_of(Revision revision) {
  MARGAY_TRY(auto query, database_.query("SELECT value FROM log WHERE revision = ?1"));
  MARGAY_TRY(const bool found, query.bind(1, revision).step());
  if (!found)
    return fail(ErrorCode::internal,
                fmt::format("the store is damaged: revision {} is missing", revision));
  return std::string(query.text(0));
}

Result<> Writer::point_object_at(const Write& write, Revision revision) {
  MARGAY_TRY(auto query, database_.query(R"(
    INSERT INTO object VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE
    SET revision = excluded.revision, removed = excluded.removed)"));
  query.bind(1, write.key.resource).bind(2, write.key.ns).bind(3, write.key.name);
  return query.bind(4, revision).bind(5, int64_t{write.type == Write::Type::remove}).run();
}

Result<> Writer::count_objects(const Write& write) {
  if (write.type == Write::Type::update) return {};
  const bool removal = write.type == Write::Type::remove;
  MARGAY_TRY(auto count, database_.query(R"(
    INSERT INTO collection VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
    SET objects = objects + excluded.objects)"));
  count.bind(1, write.key.resource).bind(2, write.key.ns).bind(3, int64_t{removal ? -1 : 1});
  MARGAY_CHECK(count.run());
  if (!removal) return {};
  MARGAY_TRY(
      auto empty,
      database_.query("DELETE FROM collection WHERE resource = ?1 AND ns = ?2 AND objects = 0"));
  return empty.bind(1, write.key.resource).bind(2, write.key.ns).run();
}

Result<> Writer::compact(Revision up_to) {
  up_to = std::min(up_to, options_.dispatched());
  if (up_to <= state_.extent.compacted) return {};
  MARGAY_CHECK(delete_history(database_, state_.extent.compacted, up_to));
  state_.extent.compacted = up_to;
  return {};
}

void Writer::compact_on_schedule() {
  if (target_ <= state_.extent.compacted) return;
  const State before = state_;
  const auto step = [&]() -> Result<> {
    MARGAY_TRY(auto transaction, Transaction::begin(database_, Transaction::Type::write));
    MARGAY_CHECK(compact(std::min(target_, before.extent.compacted + k_compaction_step)));
    return transaction.commit();
  };
  if (const auto done = step(); !done) {
    spdlog::warn("compaction is put off: {}", done.error().message);
    state_ = before;
  }
  const bool is_stuck = state_.extent.compacted == before.extent.compacted;
  if (is_full_ && (is_stuck || state_.extent.compacted >= target_)) look_at_the_disk();
  if (is_stuck) target_ = 0;  // until the next look
}

// After a failed commit: most likely the disk is full, and if not, history is all that is lost.
void Writer::make_room() {
  reserve_.release();
  move_log();
  if (!std::exchange(is_full_, true))
    spdlog::error("the store's disk is full: history is dropped, and nothing can be created");
  target_ = state_.extent.head;
}

// What stands in the write-ahead log takes room twice. The log keeps its own: it needs that again.
void Writer::move_log() {
  if (const auto moved = database_.execute("PRAGMA wal_checkpoint(RESTART)"); !moved)
    spdlog::warn("the write-ahead log stays: {}", moved.error().message);
}

// As far as it can be moved while others read, it is, as SQLite does by itself. That begins it anew
// only once nobody reads, which may never come by itself: then they are held up for a moment.
void Writer::keep_log_short() {
  constexpr int k_pages = 1'000;
  constexpr int k_most_pages = 16'000;  // 64 MB
  const int pages = database_.log_pages();
  if (pages >= k_most_pages && options_.without_readers)
    options_.without_readers([this] { move_log(); });
  else if (pages >= k_pages)
    static_cast<void>(database_.execute("PRAGMA wal_checkpoint(PASSIVE)"));
}

// Room that the file itself has is as good as the disk's: no file is made smaller.
bool Writer::has_free_pages() {
  const auto free = database_.query_integer("PRAGMA freelist_count");
  const auto page = database_.query_integer("PRAGMA page_size");
  return free && page && static_cast<size_t>(*free * *page) >= options_.reserve_bytes;
}

void Writer::look_at_the_disk() {
  const bool was_full = is_full_;
  if (!was_full) state_.grown = 0;
  if (was_full) move_log();
  is_full_ = !has_free_pages() && !reserve_.hold();
  if (is_full_ && target_ <= state_.extent.compacted) target_ = state_.extent.head;
  if (was_full == is_full_) return;
  if (is_full_)
    spdlog::error("the store's disk is full: history is dropped, and nothing can be created");
  else
    spdlog::info("the store's disk has room again");
}

}  // namespace margay::store::sqlite
