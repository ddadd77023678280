#include "api/fields.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

namespace margay::api {

namespace json = boost::json;

namespace {

const json::object& object_in(const json::value* value) {
  static const json::object k_none;
  return value != nullptr && value->is_object() ? value->get_object() : k_none;
}

}  // namespace

Fields::Fields(const json::value& value, const base::FieldPath& at, Errors& errors)
    : Fields(object_in(&value), at, errors) {
  if (!value.is_object()) invalid_at(at, value, "must be an object");
}

const json::value* Fields::value(std::string_view name, bool required) {
  known_.emplace(name);
  const auto* found = object_->if_contains(name);
  if (found && !found->is_null()) return found;
  if (required) missing(name);
  return nullptr;
}

std::optional<std::string> Fields::text(std::string_view name, bool required) {
  const auto* found = value(name, required);
  if (!found) return {};
  const auto* string = found->if_string();
  if (string && !(required && string->empty())) return std::string(*string);
  invalid(name, required ? "must be a string that is not empty" : "must be a string");
  return {};
}

std::optional<int64_t> Fields::number(std::string_view name, int64_t least, int64_t most,
                                      bool required) {
  const auto* found = value(name, required);
  if (!found) return {};
  const auto* integer = found->if_int64();
  if (integer && least <= *integer && *integer <= most) return *integer;
  invalid(name, fmt::format("must be a number from {} to {}", least, most));
  return {};
}

bool Fields::flag(std::string_view name, bool otherwise) {
  const auto* found = value(name);
  if (!found) return otherwise;
  if (const auto* boolean = found->if_bool()) return *boolean;
  invalid(name, "must be true or false");
  return otherwise;
}

std::vector<std::string> Fields::texts(std::string_view name) {
  std::vector<std::string> all;
  each(name, [&](const json::value& element, const base::FieldPath& at) {
    if (const auto* string = element.if_string())
      all.emplace_back(*string);
    else
      invalid_at(at, element, "must be a string");
  });
  return all;
}

Fields Fields::object(std::string_view name) {
  const auto* found = value(name);
  if (found && !found->is_object()) invalid(name, "must be an object");
  return {object_in(found), path(name), *errors_};
}

void Fields::no_others() {
  for (const auto& [name, unused] : *object_)
    if (!known_.contains(std::string_view(name)))
      error_at(Type::unknown, path(name), "", "there is no such field");
}

void Fields::invalid_at(const base::FieldPath& at, const json::value& value,
                        std::string_view rule) const {
  error_at(Type::invalid, at, json::serialize(value), rule);
}

void Fields::missing(std::string_view name) const {
  error_at(Type::required, path(name), "", "must be set");
}

void Fields::error(Type type, std::string_view name, std::string_view rule) {
  const auto* found = value(name);
  error_at(type, path(name), found ? json::serialize(*found) : "", rule);
}

void Fields::error_at(Type type, const base::FieldPath& at, std::string json,
                      std::string_view rule) const {
  auto path = at.text();
  errors_->push_back(
      {type, path.empty() ? "(root)" : std::move(path), std::move(json), std::string(rule)});
}

}  // namespace margay::api
