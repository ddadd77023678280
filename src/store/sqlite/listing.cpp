#include "store/sqlite/listing.h"

#include <fmt/format.h>

#include <charconv>

namespace margay::store::sqlite {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// Which keys, by the parameters' numbers: ?1 resource, ?2 namespace, ?3 name, ?4 and ?5 the last
// entry of the page before, ?8 the first and ?9 the end of the names that have the prefix.
// Conditions that don't apply are left out, so that SQLite seeks.
std::string key_condition(const Scope& scope, const ListOptions& options, std::string_view table) {
  std::string sql = fmt::format("{}.resource = ?1", table);
  const bool prefix = !options.name_prefix.empty();
  if (!scope.ns.empty() || prefix) sql += fmt::format(" AND {}.ns = ?2", table);
  if (!scope.name.empty()) sql += fmt::format(" AND {}.name = ?3", table);
  if (prefix) sql += fmt::format(" AND {0}.name >= ?8 AND {0}.name < ?9", table);
  if (!options.resume.empty()) sql += fmt::format(" AND ({0}.ns, {0}.name) > (?4, ?5)", table);
  return sql;
}

// The state at revision ?6: what was last written by then, and what the first write since replaced.
std::string state_at(const Scope& scope, const ListOptions& options, std::string_view columns) {
  return fmt::format(
      "SELECT {0} FROM object o JOIN log v ON v.revision = o.revision "
      "WHERE {1} AND o.revision <= ?6 "
      "UNION ALL "
      "SELECT {0} FROM log l JOIN log v ON v.revision = l.previous "
      "WHERE l.revision > ?6 AND l.previous <= ?6 AND l.previous > 0 AND {2}",
      columns, key_condition(scope, options, "o"), key_condition(scope, options, "l"));
}

// Binds the text of `end_of_names`, which must live as long as the query.
void bind_state(Query& query, const Scope& scope, const ListOptions& options,
                const Position& position, const std::string& end_of_names) {
  query.bind(1, scope.resource).bind(6, position.snapshot);
  if (!scope.ns.empty() || !options.name_prefix.empty()) query.bind(2, scope.ns);
  if (!scope.name.empty()) query.bind(3, scope.name);
  if (!options.resume.empty()) query.bind(4, position.ns).bind(5, position.name);
  if (!options.name_prefix.empty()) query.bind(8, options.name_prefix).bind(9, end_of_names);
}

// No text in UTF-8 has this byte, so it is past every name with the prefix.
std::string end_of_names(const ListOptions& options) { return options.name_prefix + '\xff'; }

Result<size_t> count_after(Database& database, const Scope& scope, ListOptions options,
                           const Position& position) {
  options.resume = position.encode();
  MARGAY_TRY(auto query, database.query(fmt::format("SELECT count(*) FROM ({})",
                                                    state_at(scope, options, "v.revision"))));
  const std::string end = end_of_names(options);
  bind_state(query, scope, options, position, end);
  MARGAY_CHECK(query.step());
  return static_cast<size_t>(query.integer(0));
}

}  // namespace

std::string Position::encode() const {
  return fmt::format("{}:{}:{}{}", snapshot, ns.size(), ns, name);
}

Result<Position> Position::decode(std::string_view token) {
  const auto malformed = [] {
    return fail(ErrorCode::invalid, "the list's continuation is malformed: list from the start");
  };
  Position position;
  size_t ns_size = 0;
  const char* const end = token.data() + token.size();
  const auto snapshot = std::from_chars(token.data(), end, position.snapshot);
  if (snapshot.ec != std::errc() || snapshot.ptr == end || *snapshot.ptr != ':') return malformed();
  const auto size = std::from_chars(snapshot.ptr + 1, end, ns_size);
  if (size.ec != std::errc() || size.ptr == end || *size.ptr != ':') return malformed();
  const std::string_view rest(size.ptr + 1, end);
  if (position.snapshot <= 0 || ns_size > rest.size()) return malformed();
  position.ns = rest.substr(0, ns_size);
  position.name = rest.substr(ns_size);
  return position;
}

Result<List> read_list(Database& database, const Scope& scope, const ListOptions& options) {
  MARGAY_TRY(const auto extent, read_extent(database));
  const bool resumed = !options.resume.empty();
  Position position{extent.head, {}, {}};
  if (resumed) {
    MARGAY_TRY(position, Position::decode(options.resume));
  }
  if (position.snapshot > extent.head)
    return fail(ErrorCode::invalid, "the list's continuation is of another store");
  if (position.snapshot < extent.compacted)
    return fail(ErrorCode::too_old,
                fmt::format("the list's snapshot at revision {} is compacted: list from the start",
                            position.snapshot));

  List list{.revision = position.snapshot};
  MARGAY_TRY(auto query,
             database.query(state_at(scope, options, "v.ns, v.name, v.revision, v.value") +
                            " ORDER BY 1, 2 LIMIT ?7"));
  const std::string end = end_of_names(options);
  bind_state(query, scope, options, position, end);
  query.bind(7, options.limit == 0 ? -1 : static_cast<int64_t>(options.limit) + 1);
  for (;;) {
    MARGAY_TRY(const bool row, query.step());
    if (!row) return list;
    if (options.limit != 0 && list.entries.size() == options.limit) break;
    list.entries.push_back(
        {{scope.resource, std::string(query.text(0)), std::string(query.text(1))},
         std::string(query.text(3)),
         query.integer(2)});
  }
  position.ns = list.entries.back().key.ns;
  position.name = list.entries.back().key.name;
  list.resume = position.encode();
  MARGAY_TRY(list.remaining, count_after(database, scope, options, position));
  return list;
}

}  // namespace margay::store::sqlite
