#include "store/sqlite/schema.h"

#include <fmt/format.h>

#include <algorithm>

namespace margay::store::sqlite {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr int64_t k_application_id = 0x4d415247;  // "MARG", in the file's header
constexpr int64_t k_schema_version = 2;

constexpr const char* k_tables = R"(
  BEGIN IMMEDIATE;
  CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    resource TEXT NOT NULL,
    ns       TEXT NOT NULL,
    name     TEXT NOT NULL,
    type     INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    value    TEXT
  );
  CREATE TABLE object (
    resource TEXT NOT NULL,
    ns       TEXT NOT NULL,
    name     TEXT NOT NULL,
    revision INTEGER NOT NULL,
    removed  INTEGER NOT NULL,
    PRIMARY KEY (resource, ns, name)
  ) WITHOUT ROWID;
  CREATE TABLE collection (
    resource TEXT NOT NULL,
    ns       TEXT NOT NULL,
    objects  INTEGER NOT NULL,
    PRIMARY KEY (resource, ns)
  ) WITHOUT ROWID;
  CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
  ) WITHOUT ROWID;
  INSERT INTO meta VALUES ('compacted', 0);
  PRAGMA application_id = 1296126535;
  PRAGMA user_version = 2;
  COMMIT;
)";
static_assert(k_application_id == 1296126535 && k_schema_version == 2);

// From version 1, which kept no removed objects, so that its history is of no use to lists.
Result<> upgrade(Database& database) {
  MARGAY_TRY(auto transaction, Transaction::begin(database, Transaction::Type::write));
  MARGAY_CHECK(database.execute(R"(
    ALTER TABLE object ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE collection (
      resource TEXT NOT NULL,
      ns       TEXT NOT NULL,
      objects  INTEGER NOT NULL,
      PRIMARY KEY (resource, ns)
    ) WITHOUT ROWID;
    INSERT INTO collection SELECT resource, ns, count(*) FROM object GROUP BY resource, ns;
    PRAGMA user_version = 2;)"));
  MARGAY_TRY(const auto extent, read_extent(database));
  MARGAY_CHECK(delete_history(database, extent.compacted, extent.head));
  return transaction.commit();
}

Event::Type event_type(int64_t type) {
  switch (static_cast<RowType>(type)) {
    case RowType::created:
      return Event::Type::created;
    case RowType::removed:
      return Event::Type::removed;
    case RowType::updated:
      break;
  }
  return Event::Type::updated;
}

}  // namespace

Result<> create_schema(Database& database) {
  MARGAY_TRY(const auto application, database.query_integer("PRAGMA application_id"));
  MARGAY_TRY(const auto version, database.query_integer("PRAGMA user_version"));
  MARGAY_TRY(const auto tables, database.query_integer("SELECT count(*) FROM sqlite_schema"));
  if (application == 0 && version == 0 && tables == 0) return database.execute(k_tables);
  if (application != k_application_id)
    return fail(ErrorCode::invalid, "the file is a database of another program");
  if (version == 1) return upgrade(database);
  if (version != k_schema_version)
    return fail(ErrorCode::unsupported,
                fmt::format("the file has schema version {}; this program knows {}", version,
                            k_schema_version));
  return {};
}

Result<Extent> read_extent(Database& database) {
  MARGAY_TRY(const auto last, database.query_integer("SELECT max(revision) FROM log"));
  MARGAY_TRY(const auto compacted,
             database.query_integer("SELECT value FROM meta WHERE name = 'compacted'"));
  // Compaction may have deleted the last row (a removal), but never goes past it.
  return Extent{compacted, std::max({last, compacted, k_first_revision})};
}

Result<Changes> read_log(Database& database, const Scope& scope, const LogRange& range) {
  MARGAY_TRY(auto query, database.query(R"(
    SELECT l.revision, l.resource, l.ns, l.name, l.type, l.value, p.value
    FROM log l LEFT JOIN log p ON p.revision = l.previous
    WHERE l.revision > ?1 AND l.revision <= ?2 AND (?3 = '' OR l.resource = ?3)
    ORDER BY l.revision LIMIT ?4)"));
  query.bind(1, range.after).bind(2, range.up_to).bind(3, scope.resource);
  query.bind(4, static_cast<int64_t>(range.rows));
  Changes changes{.events = {}, .up_to = range.after};
  size_t bytes = 0;
  for (size_t rows = 0; rows < range.rows && (rows == 0 || bytes < range.bytes); ++rows) {
    MARGAY_TRY(const bool row, query.step());
    if (!row) {
      changes.up_to = range.up_to;
      return changes;
    }
    changes.up_to = query.integer(0);
    Key key{std::string(query.text(1)), std::string(query.text(2)), std::string(query.text(3))};
    if (!scope.resource.empty() && !scope.contains(key)) continue;
    Event event{event_type(query.integer(4)), {std::move(key), {}, query.integer(0)}};
    // A removal has no value of its own.
    event.entry.value = query.text(event.type == Event::Type::removed ? 6 : 5);
    if (event.type == Event::Type::updated) event.previous = query.text(6);
    bytes += event.entry.value.size() + event.previous.size();
    changes.events.push_back(std::move(event));
  }
  return changes;
}

Result<> delete_history(Database& database, Revision compacted, Revision up_to) {
  MARGAY_TRY(auto superseded, database.query(R"(
    DELETE FROM log WHERE revision IN
      (SELECT previous FROM log WHERE revision > ?1 AND revision <= ?2 AND previous > 0))"));
  MARGAY_CHECK(superseded.bind(1, compacted).bind(2, up_to).run());
  MARGAY_TRY(auto objects, database.query(R"(
    DELETE FROM object WHERE removed AND revision <= ?2 AND (resource, ns, name) IN
      (SELECT resource, ns, name FROM log WHERE revision > ?1 AND revision <= ?2 AND type = ?3))"));
  objects.bind(1, compacted).bind(2, up_to).bind(3, static_cast<int64_t>(RowType::removed));
  MARGAY_CHECK(objects.run());
  MARGAY_TRY(auto removals, database.query(R"(
    DELETE FROM log WHERE revision > ?1 AND revision <= ?2 AND type = ?3)"));
  removals.bind(1, compacted).bind(2, up_to).bind(3, static_cast<int64_t>(RowType::removed));
  MARGAY_CHECK(removals.run());
  MARGAY_TRY(auto mark, database.query("UPDATE meta SET value = ?1 WHERE name = 'compacted'"));
  return mark.bind(1, up_to).run();
}

std::string describe(const Key& key) {
  if (key.ns.empty()) return fmt::format("{} \"{}\"", key.resource, key.name);
  return fmt::format("{} \"{}/{}\"", key.resource, key.ns, key.name);
}

}  // namespace margay::store::sqlite
