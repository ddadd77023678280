#pragma once

// Reading the state of a scope at a revision, page by page. A page costs what it has, and what has
// been written since the revision to keys between its first and last; never what the scope has.

#include "store/sqlite/database.h"
#include "store/sqlite/schema.h"
#include "store/store.h"

namespace margay::store::sqlite {

// Where a list goes on: what `List::resume` carries.
struct Position {
  Revision snapshot = 0;
  std::optional<size_t> remaining;  // after it
  std::string ns;                   // of the last entry listed
  std::string name;

  std::string encode() const;
  static base::Result<Position> decode(std::string_view token);
};

// Within a read transaction.
base::Result<List> read_list(Database& database, const Scope& scope, const ListOptions& options);

}  // namespace margay::store::sqlite
