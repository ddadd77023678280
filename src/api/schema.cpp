#include "api/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace margay::api {

namespace {

using Type = Schema::Type;

// Numbers written as 80.0 or beyond 2^63 in an unsigned form become int64 where they fit.
bool to_int64(json::value& value) {
  if (value.is_int64()) return true;
  if (value.is_uint64()) return false;  // Boost.JSON uses it only beyond the int64 range
  if (!value.is_double()) return false;
  const double number = value.get_double();
  if (std::trunc(number) != number || std::abs(number) > 9e15) return false;
  value = static_cast<int64_t>(number);
  return true;
}

bool has_type(Type type, json::value& value) {
  switch (type) {
    case Type::any:
      return true;
    case Type::object:
    case Type::map:
      return value.is_object();
    case Type::list:
      return value.is_array();
    case Type::string:
      return value.is_string();
    case Type::integer:
      return to_int64(value);
    case Type::number:  // 1e999 is none: it would be written as infinity
      return value.is_number() && std::isfinite(value.to_number<double>());
    case Type::boolean:
      return value.is_bool();
    case Type::int_or_string:
      return value.is_string() || to_int64(value);
  }
  return false;
}

std::string type_rule(Type type) {
  switch (type) {
    case Type::object:
    case Type::map:
      return "must be an object";
    case Type::list:
      return "must be a list";
    case Type::string:
      return "must be a string (quote it)";
    case Type::integer:
      return "must be a whole number";
    case Type::number:
      return "must be a number";
    case Type::boolean:
      return "must be true or false";
    case Type::int_or_string:
      return "must be a whole number or a string";
    case Type::any:
      break;
  }
  return {};
}

bool is_unset(const Field& field, const json::value& value) {
  if (value.is_null()) return !field.schema->nullable && field.schema->type != Type::any;
  return field.schema->type == Type::string && !field.schema->keeps_empty && value.is_string() &&
         value.get_string().empty();
}

bool prepare_fields(const Schema& schema, json::object& object, const std::string& path,
                    Findings& findings) {
  const Report report(findings.errors, path);
  std::vector<std::string> unknown;
  for (const auto& [name, value] : object) {
    if (schema.find(name) == nullptr) unknown.emplace_back(name);
  }
  for (const auto& name : unknown) {
    if (findings.unknown_fields.size() <= Report::k_most_errors)
      findings.unknown_fields.push_back(report.field(name).path());
    object.erase(name);
  }
  bool typed = true;
  for (const auto& field : schema.fields) {
    json::value* value = object.if_contains(field.name);
    if (value != nullptr && is_unset(field, *value)) {
      object.erase(field.name);
      value = nullptr;
    }
    if (value == nullptr && field.default_value)
      value = &(object[field.name] = *field.default_value);
    if (value == nullptr) {
      if (field.is_required) report.field(field.name).required();
      typed &= !field.is_required;
      continue;
    }
    typed &= prepare_value(*field.schema, *value, report.field(field.name).path(), findings);
  }
  return typed;
}

// A null is no value: a label that is null is no label. Where none may be missing it is "".
void drop_nulls(const Schema& items, json::object& map) {
  if (items.nullable) return;
  const auto is_null = [](const auto& entry) { return entry.value().is_null(); };
  if (std::ranges::none_of(map, is_null)) return;
  if (items.keeps_empty) {
    for (auto& [key, value] : map)
      if (value.is_null()) value.emplace_string();
    return;
  }
  json::object kept(map.storage());
  for (auto& [key, value] : map)
    if (!value.is_null()) kept.emplace(key, std::move(value));
  map = std::move(kept);
}

bool prepare_children(const Schema& schema, json::value& value, const std::string& path,
                      Findings& findings) {
  const Report report(findings.errors, path);
  bool typed = true;
  if (schema.type == Type::object)
    return prepare_fields(schema, value.get_object(), path, findings);
  if (schema.type == Type::map && schema.items) {
    drop_nulls(*schema.items, value.get_object());
    for (auto& [key, item] : value.get_object())
      typed &= prepare_value(*schema.items, item, report.key(key).path(), findings);
  }
  if (schema.type == Type::list && schema.items) {
    auto& items = value.get_array();
    for (size_t i = 0; i < items.size(); ++i)
      typed &= prepare_value(*schema.items, items[i], report.item(i).path(), findings);
  }
  return typed;
}

void check_bounds(const Schema& schema, const json::value& value, const Report& report) {
  if (!schema.supported_values.empty() && value.is_string() &&
      std::ranges::find(schema.supported_values, std::string_view(value.get_string())) ==
          schema.supported_values.end())
    report.not_supported(value, schema.supported_values);
  if (!value.is_int64()) return;
  const int64_t number = value.get_int64();
  if (schema.minimum && schema.maximum && (number < *schema.minimum || number > *schema.maximum))
    report.invalid(value, fmt::format("must be between {} and {}, inclusive", *schema.minimum,
                                      *schema.maximum));
  else if (schema.minimum && number < *schema.minimum)
    report.invalid(value, fmt::format("must be greater than or equal to {}", *schema.minimum));
}

}  // namespace

const Field* Schema::find(std::string_view field) const {
  const auto found = std::ranges::find(fields, field, &Field::name);
  return found == fields.end() ? nullptr : &*found;
}

std::string_view to_string(Type type) {
  switch (type) {
    case Type::object:
    case Type::map:
      return "object";
    case Type::list:
      return "array";
    case Type::string:
      return "string";
    case Type::integer:
      return "integer";
    case Type::number:
      return "number";
    case Type::boolean:
      return "boolean";
    case Type::int_or_string:
      return "int-or-string";
    case Type::any:
      break;
  }
  return "any";
}

bool prepare_value(const Schema& schema, json::value& value, const std::string& path,
                   Findings& findings) {
  if (value.is_null() && schema.nullable) return true;
  const Report report(findings.errors, path);
  if (!has_type(schema.type, value)) {
    report.invalid(value, type_rule(schema.type));
    return false;
  }
  if (!prepare_children(schema, value, path, findings)) return false;
  for (const auto& normalize : schema.normalizers) normalize(value);
  check_bounds(schema, value, report);
  for (const auto& check : schema.checks) check(value, report);
  return true;
}

void compare_update(const Schema& schema, const json::value& before, const json::value& after,
                    const Report& report) {
  if (!before.is_object() || !after.is_object()) return;
  for (const auto& check : schema.update_checks) check(before, after, report);
  static const json::value unset;
  for (const auto& field : schema.fields) {
    const json::value* old_value = before.get_object().if_contains(field.name);
    const json::value* new_value = after.get_object().if_contains(field.name);
    if (old_value == nullptr) old_value = &unset;
    if (new_value == nullptr) new_value = &unset;
    if (field.is_immutable && *old_value != *new_value)
      report.field(field.name).invalid(*new_value, "field is immutable");
    else if (field.schema->type == Type::object)
      compare_update(*field.schema, *old_value, *new_value, report.field(field.name));
  }
}

}  // namespace margay::api
