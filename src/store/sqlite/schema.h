#pragma once

// The tables (docs/decisions/0003-sqlite-store.md, 0037-paged-lists.md):
//
//   log         every write, by revision; append-only but for compaction. `previous` is the
//   revision
//               this write replaced, 0 when history has none. A removal has no value: it is the
//               previous one's.
//   object      key -> revision of its last row in `log`. What was removed stays, marked, until
//               compaction forgets the removal.
//   collection  how many objects a namespace has of a resource.
//   meta        `compacted`: history before this revision is gone.
//
// An object at an older revision R is therefore the first row at or before R on the way from its
// last one back by `previous`. Nothing else is needed to page through a snapshot.

#include <string>
#include <vector>

#include "store/sqlite/database.h"
#include "store/store.h"

namespace margay::store::sqlite {

// An empty store is at this revision, so that 0 never means a state.
inline constexpr Revision k_first_revision = 1;

enum class RowType : int64_t { created = 0, updated = 1, removed = 2 };

struct Extent {
  Revision compacted = 0;  // states and changes from here on are complete
  Revision head = k_first_revision;
};

// Makes the tables in a new file; refuses files of another program or a later version.
base::Result<> create_schema(Database& database);

// Within a transaction: of its snapshot.
base::Result<Extent> read_extent(Database& database);

// How much of the log to read at once.
struct LogRange {
  Revision after = 0;  // changes in (after, up_to]
  Revision up_to = 0;
  size_t rows = 1'000;  // looked at
  size_t bytes =
      1 << 20;  // of the values kept; one more than fits is read, so that reading gets on
};

// The changes of a range in `scope`, or (no resource) all. A removal's value is the last one.
base::Result<Changes> read_log(Database& database, const Scope& scope, const LogRange& range);

// Deletes what only states older than `up_to` need; `up_to` is past `compacted`.
base::Result<> delete_history(Database& database, Revision compacted, Revision up_to);

// "networkpolicies.projectcalico.org "default/web"", for messages.
std::string describe(const Key& key);

}  // namespace margay::store::sqlite
