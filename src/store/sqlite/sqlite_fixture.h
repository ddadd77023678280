#pragma once

// For tests of the SQLite store: one in a folder of its own.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "store/sqlite/database.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/temporary_folder.h"

namespace margay::store::sqlite {

inline Key thing(std::string name) { return {"things", "ns", std::move(name)}; }

class SqliteStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteStore> open(CompactionOptions compaction = {}) {
    return SqliteStore::open({.path = path_,
                              .durability = Durability::process_crash,
                              .compaction = compaction,
                              .progress_interval = std::chrono::milliseconds(20)})
        .value();
  }
  void execute(const char* sql) { ASSERT_TRUE(Database::open(path_).value().execute(sql)); }

  testing::TemporaryFolder folder_;
  const std::string path_ = folder_.file("store.db");
};

}  // namespace margay::store::sqlite
