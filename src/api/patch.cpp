#include "api/patch.h"

#include <fmt/format.h>

#include "api/json_pointer.h"

namespace margay::api {

namespace {

// ---- JSON Patch
// -----------------------------------------------------------------------------------

// Numbers are equal when their values are (RFC 6902, section 4.6).
bool equal(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) return a.to_number<double>() == b.to_number<double>();
  if (a.is_array() && b.is_array()) {
    const auto& x = a.get_array();
    const auto& y = b.get_array();
    return x.size() == y.size() && std::equal(x.begin(), x.end(), y.begin(), equal);
  }
  if (!a.is_object() || !b.is_object()) return a == b;
  const auto& x = a.get_object();
  const auto& y = b.get_object();
  if (x.size() != y.size()) return false;
  for (const auto& [key, value] : x) {
    const json::value* other = y.if_contains(key);
    if (other == nullptr || !equal(value, *other)) return false;
  }
  return true;
}

base::Result<std::string> text_of(const json::object& operation, std::string_view name) {
  const json::value* value = operation.if_contains(name);
  if (value == nullptr || !value->is_string())
    return base::fail(base::ErrorCode::invalid, fmt::format("needs a string \"{}\"", name));
  return std::string(value->get_string());
}

base::Result<JsonPointer> pointer_of(const json::object& operation, std::string_view name) {
  MARGAY_TRY(const auto text, text_of(operation, name));
  return JsonPointer::parse(text);
}

base::Result<json::value> value_of(const json::object& operation) {
  const json::value* value = operation.if_contains("value");
  if (value == nullptr) return base::fail(base::ErrorCode::invalid, "needs a \"value\"");
  return *value;
}

base::Result<> move(json::value& document, const JsonPointer& from, const JsonPointer& to) {
  if (to.is_within(from))
    return base::fail(base::ErrorCode::invalid, "cannot move a value into itself");
  MARGAY_TRY(auto value, from.get(document));
  MARGAY_CHECK(from.remove(document));
  return to.add(document, std::move(value));
}

base::Result<> apply_operation(json::value& document, const json::object& operation) {
  MARGAY_TRY(const auto op, text_of(operation, "op"));
  MARGAY_TRY(const auto path, pointer_of(operation, "path"));
  if (op == "remove") return path.remove(document);
  if (op == "move" || op == "copy") {
    MARGAY_TRY(const auto from, pointer_of(operation, "from"));
    if (op == "move") return move(document, from, path);
    MARGAY_TRY(auto value, from.get(document));
    return path.add(document, std::move(value));
  }
  if (op != "add" && op != "replace" && op != "test")
    return base::fail(base::ErrorCode::invalid, "unknown operation \"" + op + "\"");
  MARGAY_TRY(auto value, value_of(operation));
  if (op == "add") return path.add(document, std::move(value));
  if (op == "replace") return path.replace(document, std::move(value));
  MARGAY_TRY(const auto found, path.get(document));
  if (!equal(found, value)) return base::fail(base::ErrorCode::invalid, "the test failed");
  return {};
}

}  // namespace

base::Result<json::value> apply_json_patch(json::value document, const json::value& patch) {
  const auto* operations = patch.if_array();
  if (operations == nullptr)
    return base::fail(base::ErrorCode::invalid, "a JSON patch must be a list of operations");
  for (size_t i = 0; i < operations->size(); ++i) {
    const auto* operation = (*operations)[i].if_object();
    auto applied = operation == nullptr ? base::fail(base::ErrorCode::invalid, "must be an object")
                                        : apply_operation(document, *operation);
    if (!applied)
      return std::unexpected(std::move(applied).error().wrap(fmt::format("operation {}", i)));
  }
  return document;
}

json::value apply_merge_patch(json::value document, const json::value& patch) {
  const auto* changes = patch.if_object();
  if (changes == nullptr) return patch;
  if (!document.is_object()) document = json::object();
  auto& object = document.get_object();
  for (const auto& [key, change] : *changes) {
    if (change.is_null()) {
      object.erase(key);
    } else {
      json::value& member = object[key];
      member = apply_merge_patch(std::move(member), change);
    }
  }
  return document;
}

}  // namespace margay::api
