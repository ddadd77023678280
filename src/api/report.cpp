#include "api/report.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "base/utf8.h"

namespace margay::api {

using Type = base::FieldError::Type;

Report Report::field(std::string_view name) const {
  if (path_.empty()) return Report(*errors_, std::string(name));
  std::string path;
  path.reserve(path_.size() + 1 + name.size());
  path.append(path_).append(1, '.').append(name);
  return Report(*errors_, std::move(path));
}

Report Report::item(size_t index) const {
  return Report(*errors_, fmt::format("{}[{}]", path_, index));
}

Report Report::key(std::string_view key) const {
  return Report(*errors_, fmt::format("{}[{}]", path_, key));
}

void Report::invalid(const json::value& value, std::string rule) const {
  add(Type::invalid, json::serialize(value), std::move(rule));
}

void Report::invalid(const std::string& text, std::string rule) const {
  invalid(json::value(text), std::move(rule));
}

void Report::required(std::string rule) const { add(Type::required, {}, std::move(rule)); }

void Report::not_supported(const json::value& value,
                           const std::vector<std::string>& supported) const {
  std::string rule = "supported values: ";
  for (const auto& one : supported) {
    if (&one != &supported.front()) rule += ", ";
    rule += '"' + one + '"';
  }
  add(Type::not_supported, json::serialize(value), std::move(rule));
}

void Report::duplicate(const json::value& value) const {
  add(Type::duplicate, json::serialize(value), {});
}

void Report::duplicate(const std::string& text) const { duplicate(json::value(text)); }

void Report::forbidden(std::string rule) const { add(Type::forbidden, {}, std::move(rule)); }

void Report::too_long(const json::value& value, size_t limit) const {
  add(Type::too_long, json::serialize(value), fmt::format("may not be longer than {}", limit));
}

void Report::unknown() const { add(Type::unknown, {}, {}); }

void Report::add(Type type, std::string value, std::string rule) const {
  if (errors_->size() > k_most_errors) return;
  if (errors_->size() == k_most_errors) rule = "there are more errors, which are not listed";
  if (value.size() > k_longest_value)
    value = base::to_utf8(value.substr(0, k_longest_value)) + "...";
  errors_->push_back({type, path_, std::move(value), std::move(rule)});
}

}  // namespace margay::api
