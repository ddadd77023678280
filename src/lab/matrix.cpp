#include "lab/matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <map>
#include <set>

namespace margay::lab {
namespace {

namespace json = boost::json;
using base::IPFamily;

// What happened between one pair of pods.
struct Cell {
  size_t tried = 0, passed = 0, errors = 0;
  std::set<IPFamily> passing, failing;

  void add(const Outcome& outcome) {
    const bool allowed = outcome.result == Outcome::Result::allow;
    ++tried;
    passed += allowed ? 1 : 0;
    errors += outcome.result == Outcome::Result::error ? 1 : 0;
    (allowed ? passing : failing).insert(outcome.attempt.address.family());
  }

  const char* symbol() const {
    if (tried == 0) return "·";
    if (errors > 0) return "!";
    if (passed == tried) return "✓";
    if (passed == 0) return "✗";
    const bool split = passing.size() == 1 && failing.size() == 1 && passing != failing;
    if (!split) return "~";
    return *passing.begin() == IPFamily::v4 ? "4" : "6";
  }
};

struct Table {
  std::set<std::string> ports;
  std::set<std::string> rows, columns;  // pods
  std::map<std::pair<std::string, std::string>, Cell> cells;
  std::vector<std::string> errors;
};

std::string describe_error(const Outcome& outcome) {
  const auto& attempt = outcome.attempt;
  return fmt::format("{} -> {} {} ({}): {}", attempt.from, attempt.to, attempt.port.to_string(),
                     attempt.address.to_string(), outcome.detail);
}

Table tabulate(std::span<const Outcome> outcomes) {
  Table table;
  for (const auto& outcome : outcomes) {
    const auto& attempt = outcome.attempt;
    table.rows.insert(attempt.from);
    table.columns.insert(attempt.to);
    table.ports.insert(attempt.port.to_string());
    table.cells[{attempt.from, attempt.to}].add(outcome);
    if (outcome.result == Outcome::Result::error) table.errors.push_back(describe_error(outcome));
  }
  return table;
}

std::string row_text(const Table& table, const std::string& row, size_t label_width) {
  std::string line = fmt::format("{:<{}}", row, label_width);
  for (const auto& column : table.columns) {
    const auto found = table.cells.find({row, column});
    const char* symbol = found == table.cells.end() ? "·" : found->second.symbol();
    // One character wide, whatever its length in bytes: centred under the column's name.
    const size_t left = (column.size() - 1) / 2;
    line += fmt::format("  {:{}}{}", "", left, symbol);
    if (column != *table.columns.rbegin()) line += std::string(column.size() - 1 - left, ' ');
  }
  return line + "\n";
}

}  // namespace

std::string matrix_text(std::span<const Outcome> outcomes) {
  const Table table = tabulate(outcomes);
  if (table.rows.empty()) return "no pods to probe\n";
  const std::string head = "from \\ to";
  size_t label_width = head.size();
  for (const auto& row : table.rows) label_width = std::max(label_width, row.size());

  std::string text = fmt::format("{:<{}}", head, label_width);
  for (const auto& column : table.columns) text += "  " + column;
  text += "\n";
  for (const auto& row : table.rows) text += row_text(table, row, label_width);
  for (const auto& error : table.errors) text += "! " + error + "\n";
  return text;
}

std::string matrix_json(std::span<const Outcome> outcomes) {
  std::string text;
  for (const auto& outcome : outcomes) {
    const auto& attempt = outcome.attempt;
    const std::string port = attempt.port.to_string();
    json::object object{{"from", attempt.from},
                        {"to", attempt.to},
                        {"protocol", port.substr(0, port.find(':'))},
                        {"port", attempt.port.number},
                        {"ip", attempt.address.to_string()},
                        {"family", static_cast<int>(attempt.address.family())},
                        {"result", to_string(outcome.result)}};
    if (!outcome.detail.empty()) object["detail"] = outcome.detail;
    text += (text.empty() ? "[\n" : ",\n") + json::serialize(object);
  }
  return text.empty() ? "[]\n" : text + "\n]\n";
}

}  // namespace margay::lab
