#include "api/patch.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/codec.h"
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

base::Result<const json::value*> value_of(const json::object& operation) {
  const json::value* value = operation.if_contains("value");
  if (value == nullptr) return base::fail(base::ErrorCode::invalid, "needs a \"value\"");
  return value;
}

// A document while operations change it, with what they have cost so far.
class Patching {
 public:
  Patching(json::value document, const PatchLimits& limits)
      : document_(std::move(document)), budget_(limits) {
    const auto extent = extent_of(document_);
    bytes_ = extent.bytes;
    values_ = extent.values;
  }

  base::Result<> apply(const json::object& operation);
  json::value take() { return std::move(document_); }

 private:
  base::Result<> add(const JsonPointer& path, json::value value);
  base::Result<> remove(const JsonPointer& path);
  base::Result<> replace(const JsonPointer& path, json::value value);
  base::Result<> copy(const JsonPointer& from, const JsonPointer& path);
  base::Result<> move(const JsonPointer& from, const JsonPointer& path);
  base::Result<> test(const JsonPointer& path, const json::value& expected);

  base::Result<> make_way(const JsonPointer& path, const json::value& value);
  base::Result<> enter(const JsonPointer& path, const json::value& value);
  base::Result<> leave(const json::value& value);
  base::Result<> shift(const JsonPointer& path);

  json::value document_;
  size_t bytes_ = 0;   // of document_, about
  size_t values_ = 0;  // and keys, of document_
  PatchBudget budget_;
};

// Whether the document may grow by `value` at `path`; called before it does.
base::Result<> Patching::enter(const JsonPointer& path, const json::value& value) {
  const auto extent = extent_of(value);
  MARGAY_CHECK(budget_.spend(extent.bytes));
  bytes_ += extent.bytes;
  if (bytes_ > k_max_object_bytes)
    return base::fail(
        base::ErrorCode::invalid,
        fmt::format("the patched object would be larger than {} bytes", k_max_object_bytes));
  values_ += extent.values;
  if (values_ > k_max_object_values)
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("the patched object would have more than {} values and keys",
                                  k_max_object_values));
  if (path.depth() + extent.depth > k_max_object_depth)
    return base::fail(
        base::ErrorCode::invalid,
        fmt::format("the patched object would nest deeper than {}", k_max_object_depth));
  return {};
}

base::Result<> Patching::leave(const json::value& value) {
  const auto extent = extent_of(value);
  bytes_ -= std::min(extent.bytes, bytes_);
  values_ -= std::min(extent.values, values_);
  return budget_.spend(extent.bytes);
}

// Elements of a list make room or close up.
base::Result<> Patching::shift(const JsonPointer& path) {
  MARGAY_TRY(const json::value* const holder, path.holder(document_));
  const auto* array = holder == nullptr ? nullptr : holder->if_array();
  return budget_.spend(array == nullptr ? 0 : array->size());
}

// Whether `value` may be added at `path`.
base::Result<> Patching::make_way(const JsonPointer& path, const json::value& value) {
  MARGAY_TRY(const json::value* const holder, path.holder(document_));
  if (holder == nullptr || holder->is_object()) {
    if (const auto replaced = path.find(document_)) MARGAY_CHECK(leave(**replaced));
  }
  MARGAY_CHECK(shift(path));
  return enter(path, value);
}

base::Result<> Patching::add(const JsonPointer& path, json::value value) {
  MARGAY_CHECK(make_way(path, value));
  return path.add(document_, std::move(value));
}

base::Result<> Patching::remove(const JsonPointer& path) {
  MARGAY_TRY(const json::value* const found, path.find(document_));
  MARGAY_CHECK(leave(*found));
  MARGAY_CHECK(shift(path));
  return path.remove(document_);
}

base::Result<> Patching::replace(const JsonPointer& path, json::value value) {
  MARGAY_TRY(const json::value* const found, path.find(document_));
  MARGAY_CHECK(leave(*found));
  MARGAY_CHECK(enter(path, value));
  return path.replace(document_, std::move(value));
}

base::Result<> Patching::copy(const JsonPointer& from, const JsonPointer& path) {
  MARGAY_TRY(const json::value* const found, from.find(document_));
  MARGAY_CHECK(make_way(path, *found));
  return path.add(document_, json::value(*found));
}

base::Result<> Patching::move(const JsonPointer& from, const JsonPointer& path) {
  if (path.is_within(from))
    return base::fail(base::ErrorCode::invalid, "cannot move a value into itself");
  MARGAY_TRY(const json::value* const found, from.find(document_));
  // Nobody sees the document without it: what it holds is taken, not copied.
  MARGAY_CHECK(leave(*found));
  MARGAY_CHECK(shift(from));
  json::value value = std::move(const_cast<json::value&>(*found));
  MARGAY_CHECK(from.remove(document_));
  return add(path, std::move(value));
}

base::Result<> Patching::test(const JsonPointer& path, const json::value& expected) {
  MARGAY_TRY(const json::value* const found, path.find(document_));
  MARGAY_CHECK(budget_.spend(extent_of(expected).bytes));
  if (!equal(*found, expected)) return base::fail(base::ErrorCode::invalid, "the test failed");
  return {};
}

base::Result<> Patching::apply(const json::object& operation) {
  MARGAY_TRY(const auto op, text_of(operation, "op"));
  MARGAY_TRY(const auto path, pointer_of(operation, "path"));
  if (op == "remove") return remove(path);
  if (op == "move" || op == "copy") {
    MARGAY_TRY(const auto from, pointer_of(operation, "from"));
    return op == "move" ? move(from, path) : copy(from, path);
  }
  if (op != "add" && op != "replace" && op != "test")
    return base::fail(base::ErrorCode::invalid, "unknown operation \"" + op + "\"");
  MARGAY_TRY(const json::value* const value, value_of(operation));
  if (op == "add") return add(path, *value);
  if (op == "replace") return replace(path, *value);
  return test(path, *value);
}

}  // namespace

base::Result<json::value> apply_json_patch(json::value document, const json::value& patch,
                                           const PatchLimits& limits) {
  const auto* operations = patch.if_array();
  if (operations == nullptr)
    return base::fail(base::ErrorCode::invalid, "a JSON patch must be a list of operations");
  if (operations->size() > limits.operations)
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("a JSON patch may have {} operations, not {}", limits.operations,
                                  operations->size()));
  Patching patching(std::move(document), limits);
  for (size_t i = 0; i < operations->size(); ++i) {
    const auto* operation = (*operations)[i].if_object();
    auto applied = operation == nullptr ? base::fail(base::ErrorCode::invalid, "must be an object")
                                        : patching.apply(*operation);
    if (!applied)
      return std::unexpected(std::move(applied).error().wrap(fmt::format("operation {}", i)));
  }
  return patching.take();
}

size_t copies_in(const json::value& json_patch) {
  const auto* operations = json_patch.if_array();
  if (operations == nullptr) return 0;
  return static_cast<size_t>(std::ranges::count_if(*operations, [](const json::value& operation) {
    const auto* object = operation.if_object();
    const auto* op = object == nullptr ? nullptr : object->if_contains("op");
    return op != nullptr && *op == "copy";
  }));
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
