#include "ctl/printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "api/json_path.h"
#include "base/file.h"
#include "base/text.h"
#include "ctl/go_template.h"
#include "ctl/printed_form.h"
#include "ctl/text_table.h"

namespace margay::ctl {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using Type = OutputFormat::Type;

std::vector<std::string> headings_of(const OutputFormat& format, const Shown& one,
                                     bool with_namespace) {
  auto headings = format.type == Type::columns ? format.headings
                  : format.type == Type::wide  ? one.type->wide_headings
                                               : one.type->headings;
  // Whoever asks for columns gets these.
  if (with_namespace && one.type->kind->namespaced && format.type != Type::columns)
    headings.insert(headings.begin(), "NAMESPACE");
  return headings;
}

std::unexpected<base::Error> unknown_heading(const ResourceType& type, const std::string& heading) {
  std::vector<std::string> known;
  for (const auto& column : type.columns) known.push_back(column.heading);
  return fail(ErrorCode::invalid, fmt::format("Unknown heading {}, valid values are: {}", heading,
                                              fmt::join(known, ", ")));
}

template <typename Visit>
void each_object(const Shown& one, Visit visit) {
  if (!one.is_list) return visit(one.object);
  for (const auto& item : one.object.at("items").get_array()) visit(item.get_object());
}

Result<std::string> print_table(const OutputFormat& format, const Shown& one, bool with_namespace,
                                const TableFacts& facts) {
  const auto headings = headings_of(format, one, with_namespace);
  std::vector<const TableColumn*> columns;
  for (const auto& heading : headings) {
    const auto* column = one.type->find_column(heading);
    if (column == nullptr) return unknown_heading(*one.type, heading);
    columns.push_back(column);
  }
  std::vector<Row> rows{headings};
  each_object(one, [&](const json::object& object) {
    Row row;
    for (const auto* column : columns) row.push_back(column->cell(object, facts));
    rows.push_back(std::move(row));
  });
  return aligned_table(rows) + "\n";
}

std::string print_names(const std::vector<Shown>& shown) {
  std::string text;
  for (const auto& one : shown)
    each_object(one, [&](const json::object& object) {
      text += fmt::format("{}/{}\n", one.type->names.front(),
                          api::text_at(object, {"metadata", "name"}));
    });
  return text;
}

// One answer is a document of its own; several, or none, are a sequence.
json::value as_document(const std::vector<Shown>& shown) {
  if (shown.size() == 1) return shown.front().object;
  json::array list;
  for (const auto& one : shown) list.push_back(one.object);
  return list;
}

}  // namespace

Result<OutputFormat> parse_output_format(const std::string& text) {
  if (text == "ps") return OutputFormat{.type = Type::table};
  if (text == "wide") return OutputFormat{.type = Type::wide};
  if (text == "yaml" || text == "yml") return OutputFormat{.type = Type::yaml};
  if (text == "json") return OutputFormat{.type = Type::json};
  if (text == "name") return OutputFormat{.type = Type::names};
  const auto equals = std::min(text.find('='), text.size());
  const auto key = text.substr(0, equals);
  const auto value = equals < text.size() ? text.substr(equals + 1) : std::string();
  if (key == "custom-columns") {
    if (value.empty()) return fail(ErrorCode::invalid, "need to specify at least one column");
    const auto parts = base::split(value, ',');
    return OutputFormat{.type = Type::columns, .headings = {parts.begin(), parts.end()}};
  }
  if (key == "go-template") {
    if (value.empty()) return fail(ErrorCode::invalid, "need to specify a template");
    return OutputFormat{.type = Type::go_template, .text = value};
  }
  if (key == "go-template-file") {
    if (value.empty()) return fail(ErrorCode::invalid, "need to specify a template file");
    MARGAY_TRY(auto file, base::read_file(value));
    return OutputFormat{.type = Type::go_template, .text = std::move(file)};
  }
  return fail(ErrorCode::invalid, fmt::format("unrecognized output format '{}'", text));
}

Result<std::string> print(const OutputFormat& format, const std::vector<Shown>& shown,
                          bool with_namespace, const TableFacts& facts) {
  switch (format.type) {
    case Type::yaml:
      return sorted_yaml(as_document(shown));
    case Type::json:
      return indented_json(as_document(shown));
    case Type::names:
      return print_names(shown);
    case Type::go_template:
      return run_go_template(format.text, shown, facts);
    case Type::table:
    case Type::wide:
    case Type::columns:
      break;
  }
  std::string text;
  for (const auto& one : shown) {
    MARGAY_TRY(const auto table, print_table(format, one, with_namespace, facts));
    text += table;
  }
  return text;
}

}  // namespace margay::ctl
