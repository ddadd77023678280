#pragma once

// Reading the state of a scope at a revision, page by page.

#include "store/sqlite/database.h"
#include "store/sqlite/schema.h"
#include "store/store.h"

namespace margay::store::sqlite {

// Where a list goes on: what `List::resume` carries.
struct Position {
  Revision snapshot = 0;
  std::string ns;  // of the last entry listed
  std::string name;

  std::string encode() const;
  static base::Result<Position> decode(std::string_view token);
};

// Within a read transaction.
base::Result<List> read_list(Database& database, const Scope& scope, const ListOptions& options);

}  // namespace margay::store::sqlite
