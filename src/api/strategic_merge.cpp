// Strategic merge patch, as Kubernetes documents it in "Update API Objects in Place Using kubectl
// patch" and in its design notes on strategic merge patch.

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "api/patch.h"
#include "api/schema.h"

namespace margay::api {

namespace {

using base::ErrorCode;
using base::Result;

constexpr std::string_view k_patch = "$patch";
constexpr std::string_view k_retain_keys = "$retainKeys";
constexpr std::string_view k_delete_prefix = "$deleteFromPrimitiveList/";
constexpr std::string_view k_order_prefix = "$setElementOrder/";

// What an unknown part of a document is merged by: objects by field, lists replaced.
const Schema& untyped() {
  static const Schema schema;
  return schema;
}

struct FieldView {
  const Schema* schema = &untyped();
  PatchStrategy patch;
};

FieldView view_of(const Schema& schema, std::string_view name) {
  if (schema.type == Schema::Type::map && schema.items) return {schema.items.get(), {}};
  const Field* field = schema.find(name);
  return field == nullptr ? FieldView{} : FieldView{field->schema.get(), field->patch};
}

const Schema& items_of(const Schema& list) { return list.items ? *list.items : untyped(); }

Result<std::string> directive_of(const json::object& patch) {
  const json::value* directive = patch.if_contains(k_patch);
  if (directive == nullptr) return std::string();
  if (*directive != "replace" && *directive != "delete" && *directive != "merge")
    return base::fail(ErrorCode::invalid, "$patch must be \"replace\", \"delete\" or \"merge\"");
  return std::string(directive->get_string());
}

// What a patch adds to a document that has nothing there: nulls and directives are not content.
json::value content_of(const json::value& patch) {
  if (const auto* array = patch.if_array()) {
    json::array content;
    for (const auto& item : *array) {
      const auto* object = item.if_object();
      if (object != nullptr && object->contains(k_patch) && object->at(k_patch) != "merge")
        continue;
      content.push_back(content_of(item));
    }
    return content;
  }
  const auto* object = patch.if_object();
  if (object == nullptr) return patch;
  json::object content;
  for (const auto& [key, value] : *object)
    if (!value.is_null() && !key.starts_with('$')) content[key] = content_of(value);
  return content;
}

// ---- lists ------------------------------------------------------------------------------------

Result<json::value> key_of(const json::value& element, const std::string& merge_key) {
  const auto* object = element.if_object();
  const json::value* key = object == nullptr ? nullptr : object->if_contains(merge_key);
  if (key == nullptr)
    return base::fail(ErrorCode::invalid,
                      fmt::format("an element of the list has no merge key \"{}\"", merge_key));
  return *key;
}

// What tells an element from others of its list.
json::value identity(const json::value& element, const std::string& merge_key) {
  const auto* object = element.if_object();
  if (object == nullptr || merge_key.empty()) return element;
  const json::value* key = object->if_contains(merge_key);
  return key == nullptr ? json::value() : *key;
}

std::optional<size_t> find_in(const json::array& list, const json::value& wanted,
                              const std::string& merge_key) {
  for (size_t i = 0; i < list.size(); ++i)
    if (identity(list[i], merge_key) == wanted) return i;
  return {};
}

void erase_all(json::array& list, const json::value& wanted, const std::string& merge_key) {
  while (const auto at = find_in(list, wanted, merge_key))
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(*at));
}

// `order` names the elements it sets in order; others keep their place relative to those that were
// in the original list.
Result<> set_order(json::array& list, const json::array& original, const json::array& order,
                   const std::string& merge_key) {
  std::vector<json::value> ordered;
  for (const auto& entry : order) {
    if (!merge_key.empty()) MARGAY_CHECK(key_of(entry, merge_key));
    if (const auto at = find_in(list, identity(entry, merge_key), merge_key)) {
      ordered.push_back(std::move(list[*at]));
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(*at));
    }
  }
  const auto place = [&](const json::value& element) {
    return find_in(original, identity(element, merge_key), merge_key);
  };
  json::array merged;
  size_t next = 0;
  for (auto& other : list) {
    const auto at = place(other);
    while (next < ordered.size() && (!at || place(ordered[next]).value_or(original.size()) < *at))
      merged.push_back(std::move(ordered[next++]));
    merged.push_back(std::move(other));
  }
  for (; next < ordered.size(); ++next) merged.push_back(std::move(ordered[next]));
  list = std::move(merged);
  return {};
}

Result<json::value> merge_object(const Schema& schema, json::value original,
                                 const json::object& patch);

Result<> merge_element(const Schema& item, json::array& list, const json::value& element,
                       const std::string& merge_key) {
  MARGAY_TRY(const auto key, key_of(element, merge_key));
  MARGAY_TRY(const auto directive, directive_of(element.get_object()));
  if (directive == "delete") {
    erase_all(list, key, merge_key);
    return {};
  }
  const auto at = find_in(list, key, merge_key);
  if (!at) {
    list.push_back(content_of(element));
    return {};
  }
  MARGAY_TRY(list[*at], merge_object(item, std::move(list[*at]), element.get_object()));
  return {};
}

bool replaces_list(const json::value& element) {
  const auto* object = element.if_object();
  return object != nullptr && object->contains(k_patch) && object->at(k_patch) == "replace" &&
         object->size() == 1;
}

Result<json::value> merge_list(const FieldView& field, json::array list, const json::array& patch) {
  if (!field.patch.merge || std::ranges::any_of(patch, replaces_list)) return content_of(patch);
  const auto& item = items_of(*field.schema);
  for (const auto& element : patch) {
    if (!field.patch.merge_key.empty()) {
      MARGAY_CHECK(merge_element(item, list, element, field.patch.merge_key));
    } else if (!find_in(list, element, {})) {
      list.push_back(element);
    }
  }
  return list;
}

// ---- objects ----------------------------------------------------------------------------------

// Before merging: keys that are not retained, and values deleted from lists of scalars.
Result<> follow_removals(json::object& object, const json::object& patch) {
  if (const auto* retained = patch.if_contains(k_retain_keys)) {
    if (!retained->is_array())
      return base::fail(ErrorCode::invalid, "$retainKeys must be a list of field names");
    json::object kept;
    for (const auto& [key, value] : object)
      if (find_in(retained->get_array(), json::value(key), {})) kept[key] = value;
    object = std::move(kept);
  }
  for (const auto& [key, values] : patch) {
    if (!key.starts_with(k_delete_prefix)) continue;
    auto* list = object.if_contains(std::string_view(key).substr(k_delete_prefix.size()));
    if (!values.is_array())
      return base::fail(ErrorCode::invalid, std::string(key) + " must be a list");
    if (list == nullptr || !list->is_array()) continue;
    for (const auto& value : values.get_array()) erase_all(list->get_array(), value, {});
  }
  return {};
}

Result<> follow_orders(const Schema& schema, json::object& object, const json::object& original,
                       const json::object& patch) {
  for (const auto& [key, order] : patch) {
    if (!key.starts_with(k_order_prefix)) continue;
    const auto name = std::string_view(key).substr(k_order_prefix.size());
    if (!order.is_array())
      return base::fail(ErrorCode::invalid, std::string(key) + " must be a list");
    auto* list = object.if_contains(name);
    if (list == nullptr || !list->is_array()) continue;
    const auto* before = original.if_contains(name);
    const auto field = view_of(schema, name);
    MARGAY_CHECK(
        set_order(list->get_array(),
                  before != nullptr && before->is_array() ? before->get_array() : json::array(),
                  order.get_array(), field.patch.merge_key));
  }
  return {};
}

Result<> merge_field(const FieldView& field, json::object& object, std::string_view name,
                     const json::value& change) {
  if (change.is_null()) {
    object.erase(name);
    return {};
  }
  json::value& member = object[name];
  if (member.is_object() && change.is_object()) {
    MARGAY_TRY(member, merge_object(*field.schema, std::move(member), change.get_object()));
  } else if (member.is_array() && change.is_array()) {
    MARGAY_TRY(member, merge_list(field, std::move(member.get_array()), change.get_array()));
  } else {
    member = content_of(change);
  }
  return {};
}

Result<json::value> merge_object(const Schema& schema, json::value original,
                                 const json::object& patch) {
  MARGAY_TRY(const auto directive, directive_of(patch));
  if (directive == "delete") return json::object();
  if (directive == "replace") return content_of(patch);
  const json::object before = original.is_object() ? original.get_object() : json::object();
  json::object object = before;
  MARGAY_CHECK(follow_removals(object, patch));
  for (const auto& [key, change] : patch) {
    if (key.starts_with('$')) continue;
    if (auto merged = merge_field(view_of(schema, key), object, key, change); !merged)
      return std::unexpected(std::move(merged).error().wrap(std::string(key)));
  }
  MARGAY_CHECK(follow_orders(schema, object, before, patch));
  return object;
}

}  // namespace

base::Result<json::value> apply_strategic_merge_patch(const Schema& schema, json::value document,
                                                      const json::value& patch) {
  const auto* changes = patch.if_object();
  if (changes == nullptr)
    return base::fail(ErrorCode::invalid, "a strategic merge patch must be an object");
  return merge_object(schema, std::move(document), *changes);
}

}  // namespace margay::api
