#include "api/reference.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "api/kind.h"
#include "api/schema.h"

namespace margay::api {

namespace {

using Type = Schema::Type;

std::string file_name(const Kind& kind) {
  return (kind.group.empty() ? "core" : kind.group) + "-" + kind.version + ".md";
}

// "list of string", "map of integer", "object".
std::string type_text(const Schema& schema) {
  if (schema.type == Type::list) return "list of " + type_text(*schema.items);
  if (schema.type == Type::map && schema.items) return "map of " + type_text(*schema.items);
  if (schema.type == Type::int_or_string) return "integer or string";
  if (schema.format.starts_with("duration")) return "duration";
  return std::string(to_string(schema.type));
}

std::string limits(const Schema& schema) {
  if (!schema.supported_values.empty()) {
    std::string values;
    for (const auto& value : schema.supported_values)
      values += (values.empty() ? "`" : ", `") + value + "`";
    return " One of " + values + ".";
  }
  if (schema.minimum && schema.maximum)
    return fmt::format(" From {} to {}.", *schema.minimum, *schema.maximum);
  if (schema.minimum) return fmt::format(" At least {}.", *schema.minimum);
  return {};
}

std::string notes(const Field& field) {
  const Schema& value = field.schema->items ? *field.schema->items : *field.schema;
  std::string text = field.doc + limits(value);
  if (field.is_required) text += " Required.";
  if (field.is_immutable) text += " Cannot be changed.";
  if (field.is_beyond_v3_19) text += " Not in Calico v3.19.";
  if (field.default_value && !field.default_value->is_structured())
    text += " Default: `" + json::serialize(*field.default_value) + "`.";
  return text;
}

// A row for each field below `schema`, depth first.
void add_rows(const Schema& schema, const std::string& path, std::string& page) {
  for (const auto& field : schema.fields) {
    const std::string here = path + field.name;
    page += fmt::format("| `{}` | {} | {} |\n", here, type_text(*field.schema), notes(field));
    if (field.schema->type == Type::object)
      add_rows(*field.schema, here + ".", page);
    else if (field.schema->type == Type::list && field.schema->items->type == Type::object)
      add_rows(*field.schema->items, here + "[].", page);
  }
}

void add_kind(const Kind& kind, std::string& page) {
  page += fmt::format("\n## {}\n\n{}\n\n", kind.name, kind.doc);
  std::string names = "`" + kind.plural + "`";
  for (const auto& name : kind.short_names) names += ", `" + name + "`";
  page += fmt::format("Resource names: {}. {}.\n\n", names,
                      kind.namespaced ? "In a namespace" : "In no namespace");
  if (!kind.shows.empty()) {
    page += fmt::format(
        "Its fields are those of {0} in [`projectcalico.org/v3`](projectcalico.org-v3.md#{1}).\n",
        kind.name, kind.singular);
    return;
  }
  page += "| field | type | what it says |\n| --- | --- | --- |\n";
  Schema own;  // what other kinds do not have
  for (const auto& field : kind.schema->fields)
    if (field.name != "apiVersion" && field.name != "kind" && field.name != "metadata")
      own.fields.push_back(field);
  add_rows(own, {}, page);
}

}  // namespace

std::map<std::string, std::string> reference_pages() {
  std::map<std::string, std::string> pages;
  for (const auto& kind : kinds()) {
    auto& page = pages[file_name(kind)];
    if (page.empty())
      page = fmt::format(
          "<!-- Made from the descriptions in src/api; see src/api/reference_test.cpp. -->\n"
          "# `{}`\n\nEvery object also has `apiVersion`, `kind` and `metadata`.\n",
          kind.api_version());
    add_kind(kind, page);
  }
  return pages;
}

}  // namespace margay::api
