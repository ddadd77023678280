#pragma once

// SQLite's C interface with owners and Results. One Database is one connection: one thread at a
// time. What the codes mean: https://www.sqlite.org/rescode.html

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace margay::store::sqlite {

// One execution of a prepared statement. Bound text must stay alive until the last step; a row's
// text is valid until the next step. Gives the statement back to its Database when destroyed.
class Query {
 public:
  explicit Query(sqlite3_stmt* statement) : statement_(statement) {}
  Query(Query&&) noexcept = default;

  // `parameter` is the number after the question mark.
  Query& bind(int parameter, int64_t value);
  Query& bind(int parameter, std::string_view text);

  // True: there is a row. False: that was all.
  base::Result<bool> step();
  // For statements without rows.
  base::Result<> run();

  int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::string_view text(int column) const;

 private:
  struct Rewind {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Rewind> statement_;
  int bind_result_ = SQLITE_OK;
};

class Database {
 public:
  // Creates the file, readable by its owner only, when it does not exist.
  static base::Result<Database> open(const std::string& path);

  // Statements without parameters, separated by semicolons.
  base::Result<> execute(const char* sql);
  // Compiled once per connection and text. A statement has one Query at a time.
  base::Result<Query> query(std::string_view sql);
  // The first column of the first row; 0 when there is none or it is NULL.
  base::Result<int64_t> query_integer(std::string_view sql);

  // The log stays when this is the last connection and is closed: the next one needs its room, on a
  // full disk.
  base::Result<> keep_log();

  // Pages in the write-ahead log at this connection's last commit. Without this SQLite would also
  // move them into the file by itself, which is now the caller's.
  void watch_log();
  int log_pages() const { return *log_pages_; }

  // False inside a transaction; SQLite itself rolls back after some errors.
  bool autocommit() const { return sqlite3_get_autocommit(connection_.get()) != 0; }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<int> log_pages_ = std::make_unique<int>(0);
  std::unique_ptr<sqlite3, Close> connection_;
  std::map<std::string, std::unique_ptr<sqlite3_stmt, Finalize>, std::less<>> statements_;
};

// BEGIN ... COMMIT; rolls back when destroyed without a commit.
class Transaction {
 public:
  enum class Type { read, write };
  static base::Result<Transaction> begin(Database& database, Type type);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  ~Transaction();
  base::Result<> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  // null: over
};

}  // namespace margay::store::sqlite
