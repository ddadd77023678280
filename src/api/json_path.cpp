#include "api/json_path.h"

#include <boost/json/value.hpp>

namespace margay::api {

namespace json = boost::json;

const json::value* find_at(const json::object& object, JsonPath path) {
  const json::object* at = &object;
  const json::value* value = nullptr;
  for (const auto step : path) {
    if (at == nullptr) return nullptr;
    value = at->if_contains(step);
    if (value == nullptr) return nullptr;
    at = value->if_object();
  }
  return value;
}

std::string_view text_at(const json::object& object, JsonPath path) {
  const auto* value = find_at(object, path);
  const auto* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr ? std::string_view(*text) : std::string_view();
}

std::optional<int64_t> integer_at(const json::object& object, JsonPath path) {
  const auto* value = find_at(object, path);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  boost::system::error_code error;
  const auto number = value->to_number<int64_t>(error);
  return error ? std::nullopt : std::optional(number);
}

bool flag_at(const json::object& object, JsonPath path) {
  const auto* value = find_at(object, path);
  return value != nullptr && value->is_bool() && value->get_bool();
}

const json::object& object_at(const json::object& object, JsonPath path) {
  static const json::object k_none;
  const auto* value = find_at(object, path);
  const auto* found = value != nullptr ? value->if_object() : nullptr;
  return found != nullptr ? *found : k_none;
}

const json::array& list_at(const json::object& object, JsonPath path) {
  static const json::array k_none;
  const auto* value = find_at(object, path);
  const auto* found = value != nullptr ? value->if_array() : nullptr;
  return found != nullptr ? *found : k_none;
}

}  // namespace margay::api
