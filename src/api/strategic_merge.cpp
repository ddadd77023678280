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

// What a patch adds to a document that has nothing there: directives are not content, and a null of
// an object that could be merged says that nothing is there. In a list it is content, which is
// judged as if the whole had been sent: {"matchLabels": {"app": null}} must not become {}, which
// chooses everything. For the same reason a list that is not merged has no directives: neither what
// is left of an element without its directive nor the list without the element is what was meant.
enum class Nulls : uint8_t { mean_nothing, are_content };

Result<json::value> content_of(const FieldView& field, const json::value& patch,
                               Nulls nulls = Nulls::mean_nothing);

Result<json::value> content_of_list(const FieldView& field, const json::array& patch) {
  json::array content;
  for (const auto& item : patch) {
    const auto* object = item.if_object();
    const auto* directive = object == nullptr ? nullptr : object->if_contains(k_patch);
    if (directive != nullptr && !field.patch.merge)
      return base::fail(
          ErrorCode::invalid,
          "$patch: this list is replaced as a whole, its elements have no directives");
    if (directive != nullptr && *directive != "merge") continue;
    MARGAY_TRY(auto element, content_of({&items_of(*field.schema), {}}, item, Nulls::are_content));
    content.push_back(std::move(element));
  }
  return content;
}

Result<json::value> content_of(const FieldView& field, const json::value& patch, Nulls nulls) {
  if (const auto* list = patch.if_array()) return content_of_list(field, *list);
  const auto* object = patch.if_object();
  if (object == nullptr) return patch;
  json::object content;
  for (const auto& [key, value] : *object) {
    if (key.starts_with('$') || (value.is_null() && nulls == Nulls::mean_nothing)) continue;
    MARGAY_TRY(content[key], content_of(view_of(*field.schema, key), value, nulls));
  }
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

// What tells an element from others of its list; null when it has none.
const json::value& identity(const json::value& element, const std::string& merge_key) {
  static const json::value none;
  const auto* object = element.if_object();
  if (object == nullptr || merge_key.empty()) return element;
  const json::value* key = object->if_contains(merge_key);
  return key == nullptr ? none : *key;
}

using Place = std::optional<size_t>;

Result<Place> find_in(const json::array& list, const json::value& wanted,
                      const std::string& merge_key, PatchBudget& budget) {
  constexpr size_t k_bytes_a_step = 16;  // that comparing reads
  MARGAY_CHECK(budget.spend(list.size() * (1 + extent_of(wanted).bytes / k_bytes_a_step)));
  for (size_t i = 0; i < list.size(); ++i)
    if (identity(list[i], merge_key) == wanted) return i;
  return std::nullopt;
}

Result<> erase_all(json::array& list, const json::value& wanted, const std::string& merge_key,
                   PatchBudget& budget) {
  MARGAY_TRY(const Place first, find_in(list, wanted, merge_key, budget));
  if (!first) return {};
  json::array kept;
  kept.reserve(list.size());
  for (auto& element : list)
    if (identity(element, merge_key) != wanted) kept.push_back(std::move(element));
  list = std::move(kept);
  return {};
}

// `order` names the elements it sets in order; others keep their place relative to those that were
// in the original list.
Result<> set_order(json::array& list, const json::array& original, const json::array& order,
                   const std::string& merge_key, PatchBudget& budget) {
  std::vector<json::value> ordered;
  for (const auto& entry : order) {
    if (!merge_key.empty()) MARGAY_CHECK(key_of(entry, merge_key));
    MARGAY_TRY(const Place at, find_in(list, identity(entry, merge_key), merge_key, budget));
    if (at) {
      ordered.push_back(std::move(list[*at]));
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(*at));
    }
  }
  const auto place = [&](const json::value& element) {
    return find_in(original, identity(element, merge_key), merge_key, budget);
  };
  std::vector<size_t> places;  // of the ordered, in the original list
  for (const auto& element : ordered) {
    MARGAY_TRY(const Place at, place(element));
    places.push_back(at.value_or(original.size()));
  }
  json::array merged;
  size_t next = 0;
  for (auto& other : list) {
    MARGAY_TRY(const Place at, place(other));
    while (next < ordered.size() && (!at || places[next] < *at))
      merged.push_back(std::move(ordered[next++]));
    merged.push_back(std::move(other));
  }
  for (; next < ordered.size(); ++next) merged.push_back(std::move(ordered[next]));
  list = std::move(merged);
  return {};
}

Result<json::value> merge_object(const Schema& schema, json::value original,
                                 const json::object& patch, PatchBudget& budget);

Result<> merge_element(const Schema& item, json::array& list, const json::value& element,
                       const std::string& merge_key, PatchBudget& budget) {
  MARGAY_TRY(const auto key, key_of(element, merge_key));
  MARGAY_TRY(const auto directive, directive_of(element.get_object()));
  if (directive == "delete") return erase_all(list, key, merge_key, budget);
  MARGAY_TRY(const Place at, find_in(list, key, merge_key, budget));
  if (!at) {
    MARGAY_TRY(auto added, content_of({&item, {}}, element, Nulls::are_content));
    list.push_back(std::move(added));
    return {};
  }
  MARGAY_TRY(list[*at], merge_object(item, std::move(list[*at]), element.get_object(), budget));
  return {};
}

bool replaces_list(const json::value& element) {
  const auto* object = element.if_object();
  return object != nullptr && object->contains(k_patch) && object->at(k_patch) == "replace" &&
         object->size() == 1;
}

Result<json::value> merge_list(const FieldView& field, json::array list, const json::array& patch,
                               PatchBudget& budget) {
  if (!field.patch.merge || std::ranges::any_of(patch, replaces_list))
    return content_of(field, patch);
  const auto& item = items_of(*field.schema);
  for (const auto& element : patch) {
    if (!field.patch.merge_key.empty()) {
      MARGAY_CHECK(merge_element(item, list, element, field.patch.merge_key, budget));
      continue;
    }
    MARGAY_TRY(const Place at, find_in(list, element, {}, budget));
    if (!at) list.push_back(element);
  }
  return list;
}

// ---- objects ----------------------------------------------------------------------------------

// Before merging: keys that are not retained, and values deleted from lists of scalars.
Result<> follow_removals(json::object& object, const json::object& patch, PatchBudget& budget) {
  if (const auto* retained = patch.if_contains(k_retain_keys)) {
    if (!retained->is_array())
      return base::fail(ErrorCode::invalid, "$retainKeys must be a list of field names");
    json::object kept;
    for (auto& [key, value] : object) {
      MARGAY_TRY(const Place at, find_in(retained->get_array(), json::value(key), {}, budget));
      if (at) kept[key] = std::move(value);
    }
    object = std::move(kept);
  }
  for (const auto& [key, values] : patch) {
    if (!key.starts_with(k_delete_prefix)) continue;
    auto* list = object.if_contains(std::string_view(key).substr(k_delete_prefix.size()));
    if (!values.is_array())
      return base::fail(ErrorCode::invalid, std::string(key) + " must be a list");
    if (list == nullptr || !list->is_array()) continue;
    for (const auto& value : values.get_array())
      MARGAY_CHECK(erase_all(list->get_array(), value, {}, budget));
  }
  return {};
}

// The lists that the patch orders, as they were.
json::object lists_to_order(const json::object& object, const json::object& patch) {
  json::object lists;
  for (const auto& [key, order] : patch) {
    if (!key.starts_with(k_order_prefix)) continue;
    const auto name = std::string_view(key).substr(k_order_prefix.size());
    const auto* list = object.if_contains(name);
    if (list != nullptr && list->is_array()) lists[name] = *list;
  }
  return lists;
}

// `before`: of lists_to_order().
Result<> follow_orders(const Schema& schema, json::object& object, const json::object& before,
                       const json::object& patch, PatchBudget& budget) {
  for (const auto& [key, order] : patch) {
    if (!key.starts_with(k_order_prefix)) continue;
    const auto name = std::string_view(key).substr(k_order_prefix.size());
    if (!order.is_array())
      return base::fail(ErrorCode::invalid, std::string(key) + " must be a list");
    auto* list = object.if_contains(name);
    if (list == nullptr || !list->is_array()) continue;
    const auto* original = before.if_contains(name);
    const auto field = view_of(schema, name);
    MARGAY_CHECK(set_order(list->get_array(),
                           original != nullptr ? original->get_array() : json::array(),
                           order.get_array(), field.patch.merge_key, budget));
  }
  return {};
}

Result<> merge_field(const FieldView& field, json::object& object, std::string_view name,
                     const json::value& change, PatchBudget& budget) {
  if (change.is_null()) {
    object.erase(name);
    return {};
  }
  json::value& member = object[name];
  if (member.is_object() && change.is_object()) {
    MARGAY_TRY(member, merge_object(*field.schema, std::move(member), change.get_object(), budget));
  } else if (member.is_array() && change.is_array()) {
    MARGAY_TRY(member,
               merge_list(field, std::move(member.get_array()), change.get_array(), budget));
  } else {
    MARGAY_TRY(member, content_of(field, change));
  }
  return {};
}

Result<json::value> merge_object(const Schema& schema, json::value original,
                                 const json::object& patch, PatchBudget& budget) {
  MARGAY_TRY(const auto directive, directive_of(patch));
  if (directive == "delete") return json::object();
  if (directive == "replace") return content_of({&schema, {}}, patch, Nulls::are_content);
  json::object object;
  if (original.is_object()) object = std::move(original.get_object());
  const auto before = lists_to_order(object, patch);
  MARGAY_CHECK(follow_removals(object, patch, budget));
  for (const auto& [key, change] : patch) {
    if (key.starts_with('$')) continue;
    if (auto merged = merge_field(view_of(schema, key), object, key, change, budget); !merged)
      return std::unexpected(std::move(merged).error().wrap(std::string(key)));
  }
  MARGAY_CHECK(follow_orders(schema, object, before, patch, budget));
  return object;
}

}  // namespace

base::Result<json::value> apply_strategic_merge_patch(const Schema& schema, json::value document,
                                                      const json::value& patch,
                                                      const PatchLimits& limits) {
  const auto* changes = patch.if_object();
  if (changes == nullptr)
    return base::fail(ErrorCode::invalid, "a strategic merge patch must be an object");
  PatchBudget budget(limits);
  return merge_object(schema, std::move(document), *changes, budget);
}

}  // namespace margay::api
