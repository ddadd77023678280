#include "store/sqlite/listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace margay::store::sqlite {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// Which keys, by the parameters' numbers: ?1 resource, ?2 namespace, ?3 name, ?4 and ?5 the last
// entry of the page before, ?6 the first and ?7 the end of the names that have the prefix.
// Conditions that don't apply are left out, so that SQLite seeks. With a prefix of names the
// namespace is one, of those that have none too.
std::string key_condition(const Scope& scope, const ListOptions& options) {
  std::string sql = "o.resource = ?1";
  const bool prefix = !options.name_prefix.empty();
  const bool one_namespace = !scope.ns.empty() || prefix;
  if (one_namespace) sql += " AND o.ns = ?2";
  if (!scope.name.empty()) sql += " AND o.name = ?3";
  // With the namespace given, SQLite sorts everything that a comparison of pairs leaves.
  if (!options.resume.empty())
    sql += one_namespace ? " AND o.name > ?5" : " AND (o.ns, o.name) > (?4, ?5)";
  if (prefix) sql += " AND o.name >= ?6 AND o.name < ?7";
  return sql;
}

// Objects in the order of their keys, which is that of the table: a page takes as many as it needs.
// CROSS JOIN keeps SQLite from beginning with the log.
std::string objects_sql(const Scope& scope, const ListOptions& options) {
  return fmt::format(
      "SELECT o.ns, o.name, o.revision, o.removed, v.value, v.previous "
      "FROM object o CROSS JOIN log v ON v.revision = o.revision WHERE {} ORDER BY o.ns, o.name",
      key_condition(scope, options));
}

// The state of an object at the snapshot, from `query`'s row; nothing when it did not exist then.
Result<std::optional<Entry>> entry_at(Database& database, const Query& query, const Scope& scope,
                                      Revision snapshot) {
  Key key{scope.resource, std::string(query.text(0)), std::string(query.text(1))};
  if (const Revision last = query.integer(2); last <= snapshot) {
    if (query.integer(3) != 0) return std::nullopt;
    return Entry{std::move(key), std::string(query.text(4)), last};
  }
  Revision revision = query.integer(5);
  while (revision > 0) {
    MARGAY_TRY(auto row,
               database.query("SELECT type, previous, value FROM log WHERE revision = ?1"));
    MARGAY_TRY(const bool found, row.bind(1, revision).step());
    if (!found) return std::nullopt;  // a removal that compaction has forgotten
    if (revision > snapshot) {
      revision = row.integer(1);
      continue;
    }
    if (row.integer(0) == static_cast<int64_t>(RowType::removed)) return std::nullopt;
    return Entry{std::move(key), std::string(row.text(2)), revision};
  }
  return std::nullopt;
}

// How many the scope has, where that is counted.
Result<std::optional<size_t>> count(Database& database, const Scope& scope,
                                    const ListOptions& options) {
  if (!scope.name.empty() || !options.name_prefix.empty()) return std::nullopt;
  MARGAY_TRY(auto query, database.query(R"(
    SELECT sum(objects) FROM collection WHERE resource = ?1 AND (?2 = '' OR ns = ?2))"));
  MARGAY_CHECK(query.bind(1, scope.resource).bind(2, scope.ns).step());
  return static_cast<size_t>(query.integer(0));
}

struct Page {
  List list;
  size_t bytes = 0;  // of the values
  bool is_full(const ListOptions& options) const {
    return (options.limit != 0 && list.entries.size() == options.limit) ||
           (options.bytes != 0 && bytes >= options.bytes);
  }
};

// What one query reads. True: the page is full, and there is more.
Result<bool> read_into(Page& page, Database& database, const Scope& scope,
                       const ListOptions& options, const Position& position) {
  MARGAY_TRY(auto query, database.query(objects_sql(scope, options)));
  query.bind(1, scope.resource);
  const std::string end_of_names =
      options.name_prefix + '\xff';  // past all: no UTF-8 has this byte
  if (!scope.ns.empty() || !options.name_prefix.empty()) query.bind(2, scope.ns);
  if (!scope.name.empty()) query.bind(3, scope.name);
  if (!options.resume.empty()) query.bind(4, position.ns).bind(5, position.name);
  if (!options.name_prefix.empty()) query.bind(6, options.name_prefix).bind(7, end_of_names);
  for (;;) {
    MARGAY_TRY(const bool row, query.step());
    if (!row) return false;
    MARGAY_TRY(auto entry, entry_at(database, query, scope, position.snapshot));
    if (!entry) continue;
    if (page.is_full(options)) return true;
    page.bytes += entry->value.size();
    page.list.entries.push_back(*std::move(entry));
  }
}

// The next that has, or had, objects of the resource.
Result<std::optional<std::string>> namespace_after(Database& database, const std::string& resource,
                                                   const std::string& ns) {
  MARGAY_TRY(auto query, database.query(R"(
    SELECT ns FROM object WHERE resource = ?1 AND ns > ?2 ORDER BY ns LIMIT 1)"));
  MARGAY_TRY(const bool found, query.bind(1, resource).bind(2, ns).step());
  return found ? std::optional(std::string(query.text(0))) : std::nullopt;
}

// Names that begin so are together in each namespace only.
Result<bool> fill(Database& database, const Scope& scope, const ListOptions& options,
                  const Position& position, Page& page) {
  if (options.name_prefix.empty() || !scope.ns.empty())
    return read_into(page, database, scope, options, position);
  Scope one = scope;
  one.ns = position.ns;
  ListOptions rest = options;
  for (;;) {
    MARGAY_TRY(const bool is_full, read_into(page, database, one, rest, position));
    if (is_full) return true;
    rest.resume.clear();
    MARGAY_TRY(auto next, namespace_after(database, scope.resource, one.ns));
    if (!next) return false;
    one.ns = *std::move(next);
  }
}

}  // namespace

std::string Position::encode() const {
  const std::string left = remaining ? std::to_string(*remaining) : "";
  return fmt::format("{}:{}:{}:{}{}", snapshot, left, ns.size(), ns, name);
}

Result<Position> Position::decode(std::string_view token) {
  const auto malformed = [] {
    return fail(ErrorCode::invalid, "the list's continuation is malformed: list from the start");
  };
  Position position;
  size_t remaining = 0;
  size_t ns_size = 0;
  const auto read = [&token](auto& number) {
    const char* const end = token.data() + token.size();
    const auto [stopped, error] = std::from_chars(token.data(), end, number);
    if (stopped == end || *stopped != ':') return false;
    token = {stopped + 1, end};
    return error == std::errc();
  };
  if (!read(position.snapshot) || position.snapshot <= 0) return malformed();
  if (token.starts_with(':'))
    token.remove_prefix(1);
  else if (!read(remaining))
    return malformed();
  else
    position.remaining = remaining;
  if (!read(ns_size) || ns_size > token.size()) return malformed();
  position.ns = token.substr(0, ns_size);
  position.name = token.substr(ns_size);
  return position;
}

Result<List> read_list(Database& database, const Scope& scope, const ListOptions& options) {
  MARGAY_TRY(const auto extent, read_extent(database));
  const bool resumed = !options.resume.empty();
  Position position{.snapshot = extent.head};
  if (resumed) {
    MARGAY_TRY(position, Position::decode(options.resume));
  }
  if (position.snapshot > extent.head)
    return fail(ErrorCode::invalid, "the list's continuation is of another store");
  if (position.snapshot < extent.compacted && options.or_now)
    position = {.snapshot = extent.head, .ns = position.ns, .name = position.name};
  if (position.snapshot < extent.compacted)
    return fail(ErrorCode::too_old,
                fmt::format("the list's snapshot at revision {} is compacted: list from the start",
                            position.snapshot));

  Page page{.list = {.revision = position.snapshot}};
  MARGAY_TRY(const bool is_full, fill(database, scope, options, position, page));
  auto& list = page.list;
  if (!is_full) return std::move(list);
  // The first page's snapshot is what the store is at, and that is what is counted.
  if (!resumed) {
    MARGAY_TRY(position.remaining, count(database, scope, options));
  }
  if (position.remaining)
    position.remaining =
        std::max(*position.remaining, list.entries.size() + 1) - list.entries.size();
  position.ns = list.entries.back().key.ns;
  position.name = list.entries.back().key.name;
  list.resume = position.encode();
  list.remaining = position.remaining;
  return std::move(list);
}

}  // namespace margay::store::sqlite
