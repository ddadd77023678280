#include "vector/control/fields.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

namespace margay::vector {

namespace json = boost::json;

const json::object Fields::k_empty;

Fields::Fields(const json::value& value, std::string path, std::vector<base::FieldError>& errors)
    : object_(value.is_object() ? value.get_object() : k_empty),
      path_(std::move(path)),
      errors_(errors) {
  if (!value.is_object())
    error_at(Type::invalid, path_.empty() ? "(root)" : path_, json::serialize(value),
             "must be an object");
}

const json::value* Fields::value(std::string_view name, bool required) {
  known_.emplace(name);
  const auto* found = object_.if_contains(name);
  if (found && !found->is_null()) return found;
  if (required) error_at(Type::required, path(name), "", "must be set");
  return nullptr;
}

std::optional<std::string> Fields::text(std::string_view name, bool required) {
  const auto* found = value(name, required);
  if (!found) return {};
  if (const auto* string = found->if_string(); string && !string->empty())
    return std::string(*string);
  wrong_type(name, *found, "must be a string that is not empty");
  return {};
}

std::optional<int64_t> Fields::number(std::string_view name, int64_t least, int64_t most) {
  const auto* found = value(name);
  if (!found) return {};
  const auto* integer = found->if_int64();
  if (integer && least <= *integer && *integer <= most) return *integer;
  wrong_type(name, *found, fmt::format("must be a number from {} to {}", least, most));
  return {};
}

bool Fields::flag(std::string_view name) {
  const auto* found = value(name);
  if (!found) return false;
  if (const auto* boolean = found->if_bool()) return *boolean;
  wrong_type(name, *found, "must be true or false");
  return false;
}

void Fields::no_others() {
  for (const auto& [name, unused] : object_)
    if (!known_.contains(std::string_view(name)))
      error_at(Type::unknown, path(name), "", "there is no such field");
}

void Fields::error(Type type, std::string_view field, std::string_view text,
                   std::string_view rule) {
  error_at(type, path(field), json::serialize(json::value(json::string(text))), rule);
}

void Fields::error_at(Type type, const std::string& path, std::string json, std::string_view rule) {
  errors_.push_back({type, path, std::move(json), std::string(rule)});
}

std::string Fields::path(std::string_view field) const {
  return path_.empty() ? std::string(field) : fmt::format("{}.{}", path_, field);
}

std::string Fields::element_path(std::string_view field, size_t index) const {
  return fmt::format("{}[{}]", path(field), index);
}

void Fields::wrong_type(std::string_view name, const json::value& value, std::string_view rule) {
  error_at(Type::invalid, path(name), json::serialize(value), rule);
}

}  // namespace margay::vector
