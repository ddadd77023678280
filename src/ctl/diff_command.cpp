#include "ctl/diff_command.h"

#include <fmt/format.h>

#include <map>

#include "api/codec.h"
#include "api/json_path.h"
#include "ctl/manifest.h"
#include "ctl/objects.h"

namespace margay::ctl {
namespace {

using base::Result;

// Every value that is not an object or list, by its path.
void flatten(const json::value& value, const std::string& path,
             std::map<std::string, std::string>& leaves) {
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    for (const auto& [key, one] : *object)
      flatten(one, path.empty() ? std::string(key) : fmt::format("{}.{}", path, key), leaves);
  } else if (const auto* list = value.if_array(); list != nullptr && !list->empty()) {
    for (size_t i = 0; i < list->size(); ++i)
      flatten((*list)[i], fmt::format("{}[{}]", path, i), leaves);
  } else {
    leaves[path] = api::to_json(value);
  }
}

// What a user decides of an object.
json::object decided(const json::object& object) {
  json::object made, metadata;
  for (const auto* name : {"labels", "annotations"})
    if (const auto& map = api::object_at(object, {"metadata", name}); !map.empty())
      metadata[name] = map;
  if (!metadata.empty()) made["metadata"] = std::move(metadata);
  if (const auto* spec = object.if_contains("spec")) made["spec"] = *spec;
  return made;
}

Result<std::string> diff_of(Objects& objects, const ManifestObject& target) {
  const auto& type = *target.type;
  auto prepared = api::prepare(*type.kind, target.object, api::UnknownFields::refuse);
  if (!prepared) return base::fail(told(prepared.error(), type, target.ns(), target.name()));
  const auto what = identifier(type, target.ns(), target.name());
  const auto current = objects.get(type, target.ns(), target.name());
  if (!current && current.error().code == base::ErrorCode::not_found)
    return fmt::format("{}: would be created\n", what);
  if (!current) return base::fail(current.error());
  std::string text;
  for (const auto& line : differences(decided(*current), decided(prepared->object)))
    text += fmt::format("  {}\n", line);
  return text.empty() ? text : fmt::format("{}: would be changed\n{}", what, text);
}

}  // namespace

std::vector<std::string> differences(const json::object& before, const json::object& after) {
  std::map<std::string, std::string> old_leaves, new_leaves;
  flatten(before, {}, old_leaves);
  flatten(after, {}, new_leaves);
  std::map<std::string, std::pair<std::string, std::string>> all;
  for (const auto& [path, text] : old_leaves) all[path] = {text, "(none)"};
  for (const auto& [path, text] : new_leaves) {
    const auto [place, is_new] = all.try_emplace(path, "(none)", text);
    if (!is_new) place->second.second = text;
  }
  std::vector<std::string> lines;
  for (const auto& [path, values] : all)
    if (values.first != values.second)
      lines.push_back(fmt::format("{}: {} -> {}", path, values.first, values.second));
  return lines;
}

Outcome diff_resources(const ResourceArguments& arguments, const Connect& connect) {
  Outcome outcome = for_each_resource(
      arguments, connect,
      [](Objects& objects, const ManifestObject& target) { return diff_of(objects, target); });
  outcome.differs = !outcome.output.empty();
  return outcome;
}

}  // namespace margay::ctl
