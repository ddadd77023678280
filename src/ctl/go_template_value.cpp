#include "ctl/go_template_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "api/json_path.h"
#include "ctl/go_text.h"

namespace margay::ctl {
namespace {

using api::Schema;
using base::ErrorCode;
using base::fail;
using base::Result;

bool same_name(std::string_view go, std::string_view field) {
  return std::ranges::equal(go, field, [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  });
}

json::value zero_of(const Schema& schema) {
  switch (schema.type) {
    case Schema::Type::string:
      return json::string();
    case Schema::Type::boolean:
      return false;
    case Schema::Type::integer:
      return 0;
    case Schema::Type::list:
      return json::array();
    case Schema::Type::map:
      return json::object();
    default:  // pointers, in Go
      return nullptr;
  }
}

bool is_struct(const TemplateValue& one) {
  return one.resource != nullptr || (one.schema != nullptr && !one.schema->fields.empty());
}

std::unexpected<base::Error> no_field(std::string_view name, const TemplateValue& of) {
  const auto what = of.resource != nullptr ? of.resource->kind->name
                    : of.schema != nullptr && !of.schema->name.empty()
                        ? of.schema->name
                        : std::string(json::to_string(of.value.kind()));
  return fail(ErrorCode::invalid, fmt::format("can't evaluate field {} in type {}", name, what));
}

Result<TemplateValue> field_of_struct(const TemplateValue& one, std::string_view name) {
  const auto* object = one.value.if_object();
  for (const auto& field : one.schema->fields) {
    if (!same_name(name, field.name)) continue;
    const auto* value = object != nullptr ? object->if_contains(field.name) : nullptr;
    TemplateValue made{.value = value != nullptr ? *value : zero_of(*field.schema),
                       .schema = field.schema.get()};
    // A number with a fraction in Go, however it is written.
    if (field.schema->type == Schema::Type::number && made.value.is_int64())
      made.value = static_cast<double>(made.value.get_int64());
    return made;
  }
  return no_field(name, one);
}

Result<TemplateValue> field_of_resource(const TemplateValue& one, std::string_view name) {
  const auto& object = one.value.get_object();
  if (name == "TypeMeta") return one;
  if (name == "Kind") return TemplateValue{.value = object.at("kind")};
  if (name == "APIVersion") return TemplateValue{.value = object.at("apiVersion")};
  if (one.is_list) {
    if (name == "Items")
      return TemplateValue{.value = object.at("items"), .resource = one.resource};
    if (name == "ListMeta") return one;
    if (name == "ResourceVersion")
      return TemplateValue{.value =
                               json::string(api::text_at(object, {"metadata", "resourceVersion"}))};
    return no_field(name, one);
  }
  const auto member = [&](std::string_view field) {
    const auto* described = one.resource->kind->schema->find(field);
    const auto* value = object.if_contains(field);
    return TemplateValue{.value = value != nullptr ? *value : json::object(),
                         .schema = described != nullptr ? described->schema.get() : nullptr};
  };
  if (name == "Spec") return member("spec");
  if (name == "Status" && object.contains("status")) return member("status");
  if (name == "ObjectMeta") return member("metadata");
  const auto promoted = member("metadata").field(name);
  return promoted ? promoted : no_field(name, one);
}

std::vector<const json::object::value_type*> in_order(const json::object& map) {
  std::vector<const json::object::value_type*> members;
  for (const auto& one : map) members.push_back(&one);
  std::ranges::sort(members, {}, [](const auto* one) { return std::string_view(one->key()); });
  return members;
}

}  // namespace

bool TemplateValue::is_true() const {
  if (answers) return !answers->empty();
  if (value.is_null()) return false;
  if (value.is_bool()) return value.get_bool();
  if (value.is_string()) return !value.get_string().empty();
  if (const auto* list = value.if_array()) return !list->empty();
  if (const auto* object = value.if_object()) return is_struct(*this) || !object->empty();
  return value.to_number<double>() != 0;
}

std::string TemplateValue::text() const {
  if (!answers) return go_text(value);
  std::string all;
  for (const auto& one : *answers) all += (all.empty() ? "" : " ") + one.text();
  return "[" + all + "]";
}

Result<std::vector<TemplateElement>> TemplateValue::elements() const {
  std::vector<TemplateElement> made;
  const auto number = [](size_t i) { return TemplateValue{.value = static_cast<int64_t>(i)}; };
  const auto* items = schema != nullptr ? schema->items.get() : nullptr;
  if (answers) {
    for (size_t i = 0; i < answers->size(); ++i) made.push_back({number(i), (*answers)[i]});
  } else if (const auto* list = value.if_array()) {
    for (size_t i = 0; i < list->size(); ++i)
      made.push_back({number(i), {.value = (*list)[i], .schema = items, .resource = resource}});
  } else if (const auto* object = value.if_object(); object != nullptr && !is_struct(*this)) {
    for (const auto* one : in_order(*object))
      made.push_back({{.value = one->key()}, {.value = one->value(), .schema = items}});
  } else if (!value.is_null()) {
    return fail(ErrorCode::invalid, fmt::format("range can't iterate over {}", text()));
  }
  return made;
}

Result<TemplateValue> TemplateValue::field(std::string_view name) const {
  if (answers || value.is_array()) return no_field(name, *this);
  if (resource != nullptr) return field_of_resource(*this, name);
  if (is_struct(*this)) {
    if (value.is_null())
      return fail(ErrorCode::invalid,
                  fmt::format("nil pointer evaluating {}.{}", schema->name, name));
    return field_of_struct(*this, name);
  }
  const auto* object = value.if_object();
  if (object == nullptr) return no_field(name, *this);
  const auto* member = object->if_contains(name);
  if (member == nullptr) return TemplateValue{.value = "<no value>"};
  return TemplateValue{.value = *member,
                       .schema = schema != nullptr ? schema->items.get() : nullptr};
}

}  // namespace margay::ctl
