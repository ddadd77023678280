#include "api/custom_resources.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "api/schema.h"

namespace margay::api {
namespace {

using Type = Schema::Type;

constexpr std::string_view k_group = "crd.projectcalico.org";

json::object structure(const Schema& schema, const std::string& doc);

json::object structure_of_fields(const Schema& schema) {
  json::object properties;
  json::array required;
  for (const auto& field : schema.fields) {
    properties[field.name] = structure(*field.schema, field.doc);
    if (field.is_required) required.emplace_back(field.name);
  }
  json::object made{{"type", "object"}};
  if (!properties.empty()) made["properties"] = std::move(properties);
  if (!required.empty()) made["required"] = std::move(required);
  return made;
}

void add_limits(const Schema& schema, json::object& made) {
  if (schema.minimum) made["minimum"] = *schema.minimum;
  if (schema.maximum) made["maximum"] = *schema.maximum;
  json::array values;
  for (const auto& value : schema.supported_values) values.emplace_back(value);
  // "" stands for a value that is not set.
  if (!values.empty() && !schema.keeps_empty) values.emplace_back("");
  if (!values.empty()) made["enum"] = std::move(values);
}

json::object structure_of_type(const Schema& schema) {
  switch (schema.type) {
    case Type::any:
      return {{"x-kubernetes-preserve-unknown-fields", true}};
    case Type::object:
      return structure_of_fields(schema);
    case Type::map:
      return {{"type", "object"},
              {"additionalProperties",
               schema.items ? structure(*schema.items, {})
                            : json::object{{"x-kubernetes-preserve-unknown-fields", true}}}};
    case Type::list:
      return {{"type", "array"}, {"items", structure(*schema.items, {})}};
    case Type::int_or_string:
      return {{"anyOf",
               json::array{json::object{{"type", "integer"}}, json::object{{"type", "string"}}}},
              {"x-kubernetes-int-or-string", true}};
    default: {
      json::object made{{"type", to_string(schema.type)}};
      add_limits(schema, made);
      return made;
    }
  }
}

json::object structure(const Schema& schema, const std::string& doc) {
  json::object made = structure_of_type(schema);
  if (schema.nullable) made["nullable"] = true;
  if (!doc.empty()) made["description"] = doc;
  return made;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

json::object definition_of(const Kind& kind) {
  const json::object version{
      {"name", kind.version},
      {"served", true},
      {"storage", true},
      {"schema", json::object{{"openAPIV3Schema", structural_schema(kind)}}}};
  return {{"apiVersion", "apiextensions.k8s.io/v1"},
          {"kind", "CustomResourceDefinition"},
          {"metadata", json::object{{"name", kind.resource()}}},
          {"spec", json::object{{"group", kind.group},
                                {"names", json::object{{"kind", kind.name},
                                                       {"listKind", kind.name + "List"},
                                                       {"plural", kind.plural},
                                                       {"singular", lower(kind.name)}}},
                                {"scope", kind.namespaced ? "Namespaced" : "Cluster"},
                                {"versions", json::array{version}}}}};
}

}  // namespace

json::object structural_schema(const Kind& kind) {
  auto made = structure_of_fields(*kind.schema);
  auto& properties = made["properties"].get_object();
  // What Kubernetes itself describes, and does not let a schema describe.
  properties["apiVersion"] = json::object{{"type", "string"}};
  properties["kind"] = json::object{{"type", "string"}};
  properties["metadata"] = json::object{{"type", "object"}};
  made.erase("required");
  if (!kind.doc.empty()) made["description"] = kind.doc;
  return made;
}

json::array custom_resource_definitions() {
  json::array definitions;
  for (const auto& kind : kinds())
    if (kind.group == k_group) definitions.push_back(definition_of(kind));
  return definitions;
}

}  // namespace margay::api
