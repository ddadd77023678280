#include "ctl/printed_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "api/codec.h"
#include "api/json_path.h"
#include "api/schema.h"

namespace margay::ctl {
namespace {

using api::Schema;

constexpr auto k_metadata = std::to_array<std::string_view>(
    {"name", "generateName", "namespace", "uid", "resourceVersion", "creationTimestamp",
     "deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences",
     "finalizers"});

json::object sorted(const json::object& object) {
  std::vector<std::string_view> keys;
  for (const auto& [key, value] : object) keys.push_back(key);
  std::ranges::sort(keys);
  json::object made;
  for (const auto key : keys) {
    const auto& value = object.at(key);
    made[key] = value;
  }
  return made;
}

void move_member(json::object& from, std::string_view name, json::object& to) {
  const auto found = from.find(name);
  if (found == from.end()) return;
  to[name] = std::move(found->value());
  from.erase(found);
}

// By the description where there is one, else by name.
void order(const Schema& schema, json::value& value) {
  if (auto* list = value.if_array()) {
    if (schema.items)
      for (auto& item : *list) order(*schema.items, item);
    return;
  }
  auto* object = value.if_object();
  if (object == nullptr) return;
  json::object made;
  for (const auto& field : schema.fields) move_member(*object, field.name, made);
  for (auto& [key, rest] : sorted(*object)) made[key] = std::move(rest);
  for (const auto& field : schema.fields)
    if (auto* member = made.if_contains(field.name)) order(*field.schema, *member);
  *object = std::move(made);
}

json::object printed_metadata(json::object metadata) {
  json::object made;
  for (const auto name : k_metadata) {
    move_member(metadata, name, made);
    // Go writes a time that is not set as null.
    if (name == "creationTimestamp" && !made.contains(name)) made[name] = nullptr;
  }
  for (const auto name : {"labels", "annotations"})
    if (auto* map = made.if_contains(name); map != nullptr && map->is_object())
      map->get_object() = sorted(map->get_object());
  return made;
}

json::object& member(json::object& object, std::string_view name) {
  auto& value = object[name];
  return value.is_object() ? value.get_object() : value.emplace_object();
}

// What v3.19's types have as structs within rules, which are written also when nothing is in them.
void complete_rules(json::object& spec) {
  for (const auto name : {"ingress", "egress"}) {
    auto* rules = spec.if_contains(name);
    if (rules == nullptr || !rules->is_array()) continue;
    for (auto& rule : rules->get_array()) {
      if (!rule.is_object()) continue;
      member(rule.get_object(), "source");
      member(rule.get_object(), "destination");
    }
  }
}

void complete(const ResourceType& type, json::object& object) {
  auto& spec = member(object, "spec");
  complete_rules(spec);
  if (api::text_at(spec, {"tier"}) == "default") spec.erase("tier");
  if (type.kind->name == "Node") member(object, "status");
  if (type.kind->name == "KubeControllersConfiguration") {
    member(spec, "controllers");
    member(member(member(object, "status"), "runningConfig"), "controllers");
  }
}

// ---- text -----------------------------------------------------------------------------------

std::string escaped(const json::string& text) {
  std::string made;
  for (const char c : api::to_json(json::value(text))) {
    if (c == '<' || c == '>' || c == '&')
      made += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      made += c;
  }
  return made;
}

void write_json(const json::value& value, size_t indent, std::string& out) {
  const auto line = [&](size_t depth) { out += "\n" + std::string(depth * 2, ' '); };
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    out += '{';
    for (const auto& [key, one] : *object) {
      if (&one != &object->begin()->value()) out += ',';
      line(indent + 1);
      out += escaped(json::string(key)) + ": ";
      write_json(one, indent + 1, out);
    }
    line(indent);
    out += '}';
  } else if (const auto* list = value.if_array(); list != nullptr && !list->empty()) {
    out += '[';
    for (const auto& one : *list) {
      if (&one != &list->front()) out += ',';
      line(indent + 1);
      write_json(one, indent + 1, out);
    }
    line(indent);
    out += ']';
  } else if (value.is_string()) {
    out += escaped(value.get_string());
  } else if (value.is_double()) {
    out += fmt::format("{}", value.get_double());
  } else {
    out += api::to_json(value);
  }
}

json::value in_order_of_names(const json::value& value) {
  if (const auto* list = value.if_array()) {
    json::array made;
    for (const auto& item : *list) made.push_back(in_order_of_names(item));
    return made;
  }
  if (!value.is_object()) return value;
  json::object made = sorted(value.get_object());
  for (auto& [key, one] : made) one = in_order_of_names(one);
  return made;
}

}  // namespace

json::object printed_form(const ResourceType& type, json::object object) {
  complete(type, object);
  json::object made{{"kind", type.kind->name}, {"apiVersion", type.kind->api_version()}};
  made["metadata"] = printed_metadata(std::move(member(object, "metadata")));
  for (const auto name : {"spec", "status"}) {
    auto* value = object.if_contains(name);
    if (value == nullptr) continue;
    if (const auto* field = type.kind->schema->find(name)) order(*field->schema, *value);
    made[name] = std::move(*value);
  }
  return made;
}

json::object list_form(const ResourceType& type, json::array items, const std::string& revision) {
  json::object metadata;
  if (!revision.empty()) metadata["resourceVersion"] = revision;
  return {{"kind", type.kind->name + "List"},
          {"apiVersion", type.kind->api_version()},
          {"metadata", std::move(metadata)},
          {"items", std::move(items)}};
}

std::string indented_json(const json::value& value) {
  std::string out;
  write_json(value, 0, out);
  return out + "\n";
}

std::string sorted_yaml(const json::value& value) { return api::to_yaml(in_order_of_names(value)); }

}  // namespace margay::ctl
