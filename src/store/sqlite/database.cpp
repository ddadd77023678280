#include "store/sqlite/database.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace margay::store::sqlite {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// How long a connection waits for another of this process (checkpoints, recovery).
constexpr int k_busy_timeout_ms = 10'000;

ErrorCode error_code(int result) {
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:  // no descriptor is left
    case SQLITE_READONLY:  // the disk was mounted anew
      return ErrorCode::unavailable;
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorCode::forbidden;
    case SQLITE_TOOBIG:
      return ErrorCode::too_large;
    default:
      return ErrorCode::internal;
  }
}

std::unexpected<base::Error> fail_sqlite(sqlite3* connection, int result) {
  const char* file = connection != nullptr ? sqlite3_db_filename(connection, "main") : nullptr;
  std::string message = sqlite3_errstr(result);
  if (connection != nullptr && sqlite3_errcode(connection) != SQLITE_OK)
    message = sqlite3_errmsg(connection);
  const int system_error = connection != nullptr ? sqlite3_system_errno(connection) : 0;
  if ((result & 0xff) == SQLITE_IOERR && system_error != 0)
    message += ": " + std::system_category().message(system_error);
  return fail(error_code(result), fmt::format("store {}: {} (SQLite code {})",
                                              file != nullptr ? file : "", message, result));
}

}  // namespace

void Query::Rewind::operator()(sqlite3_stmt* statement) const {
  sqlite3_reset(statement);  // repeats the error of the last step, which step() has told
  sqlite3_clear_bindings(statement);
}

Query& Query::bind(int parameter, int64_t value) {
  if (bind_result_ == SQLITE_OK)
    bind_result_ = sqlite3_bind_int64(statement_.get(), parameter, value);
  return *this;
}

Query& Query::bind(int parameter, std::string_view text) {
  if (bind_result_ == SQLITE_OK)
    bind_result_ =
        sqlite3_bind_text64(statement_.get(), parameter, text.data() != nullptr ? text.data() : "",
                            text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Result<bool> Query::step() {
  const int result =
      bind_result_ == SQLITE_OK ? sqlite3_step(statement_.get()) : std::exchange(bind_result_, 0);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return fail_sqlite(sqlite3_db_handle(statement_.get()), result);
}

Result<> Query::run() {
  MARGAY_CHECK(step());
  return {};
}

std::string_view Query::text(int column) const {
  const auto* data = sqlite3_column_text(statement_.get(), column);
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column));
  if (data == nullptr) return {};
  return {reinterpret_cast<const char*>(data), size};
}

Result<Database> Database::open(const std::string& path) {
  // The log and shared-memory files that SQLite adds take this file's permissions. One that is
  // there is not opened: to close it would drop the locks that all connections of the process have
  // on it (fcntl(2)), and whoever else then closes the file takes himself for the last and removes
  // the log.
  const base::UniqueFd made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!made && errno != EEXIST) return base::fail_errno("store " + path, errno);

  Database database;
  sqlite3* connection = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &connection,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  database.connection_.reset(connection);
  if (result != SQLITE_OK) return fail_sqlite(connection, result);
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, k_busy_timeout_ms);
  return database;
}

Result<> Database::execute(const char* sql) {
  const int result = sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return fail_sqlite(connection_.get(), result);
  return {};
}

Result<> Database::keep_log() {
  int on = 1;
  const int result = sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_PERSIST_WAL, &on);
  if (result != SQLITE_OK) return fail_sqlite(connection_.get(), result);
  return {};
}

void Database::watch_log() {
  const auto note = [](void* pages, sqlite3*, const char*, int count) {
    *static_cast<int*>(pages) = count;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(connection_.get(), note, log_pages_.get());
}

Result<Query> Database::query(std::string_view sql) {
  if (const auto found = statements_.find(sql); found != statements_.end())
    return Query(found->second.get());
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) return fail_sqlite(connection_.get(), result);
  statements_.emplace(sql, statement);
  return Query(statement);
}

Result<int64_t> Database::query_integer(std::string_view sql) {
  MARGAY_TRY(auto query, this->query(sql));
  MARGAY_TRY(const bool row, query.step());
  return row ? query.integer(0) : 0;
}

Result<Transaction> Transaction::begin(Database& database, Type type) {
  MARGAY_TRY(auto query, database.query(type == Type::write ? "BEGIN IMMEDIATE" : "BEGIN"));
  MARGAY_CHECK(query.run());
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ == nullptr || database_->autocommit()) return;
  // Nothing is left to undo when this fails: the connection drops the transaction with its locks.
  static_cast<void>(database_->execute("ROLLBACK"));
}

Result<> Transaction::commit() {
  MARGAY_TRY(auto query, database_->query("COMMIT"));
  MARGAY_CHECK(query.run());
  database_ = nullptr;
  return {};
}

}  // namespace margay::store::sqlite
