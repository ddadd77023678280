#include "api/openapi_schema.h"

#include "api/describe.h"

namespace margay::api {

namespace {

using Type = Schema::Type;

bool is_standard(std::string_view format) {
  return format == "int32" || format == "int64" || format == "double" || format == "byte" ||
         format == "date-time";
}

json::array group_version_kind(const Kind& kind, const std::string& suffix) {
  return {
      json::object{{"group", kind.group}, {"version", kind.version}, {"kind", kind.name + suffix}}};
}

void add_patch_strategy(const PatchStrategy& patch, json::object& out) {
  if (!patch.merge_key.empty()) out["x-kubernetes-patch-merge-key"] = patch.merge_key;
  if (patch.merge && patch.retain_keys)
    out["x-kubernetes-patch-strategy"] = "merge,retainKeys";
  else if (patch.merge)
    out["x-kubernetes-patch-strategy"] = "merge";
  else if (patch.retain_keys)
    out["x-kubernetes-patch-strategy"] = "retainKeys";
}

void add_scalar(const Schema& schema, OpenAPIVersion version, json::object& out) {
  if (schema.type == Type::int_or_string) {
    if (version == OpenAPIVersion::v2)
      out["type"] = "string";
    else
      out["oneOf"] =
          json::array{json::object{{"type", "integer"}}, json::object{{"type", "string"}}};
    out["format"] = "int-or-string";
    return;
  }
  out["type"] = to_string(schema.type);
  if (is_standard(schema.format)) out["format"] = schema.format;
  if (schema.minimum) out["minimum"] = *schema.minimum;
  if (schema.maximum) out["maximum"] = *schema.maximum;
  if (schema.supported_values.empty()) return;
  json::array values;
  for (const auto& value : schema.supported_values) values.emplace_back(value);
  out["enum"] = std::move(values);
}

}  // namespace

void OpenAPISchemas::define(const Kind& kind) {
  define(*kind.schema);
  definitions_[kind.schema->name].get_object()["x-kubernetes-group-version-kind"] =
      group_version_kind(kind, "");
  define_list(kind);
}

void OpenAPISchemas::define(const Schema& schema) {
  if (definitions_.contains(schema.name)) return;
  definitions_[schema.name] = json::object();  // stands for itself while its parts are written
  json::object written = write_object(schema);
  definitions_[schema.name] = std::move(written);
}

void OpenAPISchemas::define_list(const Kind& kind) {
  define(list_meta_schema());
  json::object items{
      {"description", "The objects."}, {"type", "array"}, {"items", reference(kind.schema->name)}};
  json::object metadata = reference(list_meta_schema().name);
  json::object string{{"type", "string"}};
  definitions_[list_name(kind)] =
      json::object{{"description", "A list of objects of kind " + kind.name + "."},
                   {"type", "object"},
                   {"required", json::array{"items"}},
                   {"properties", json::object{{"apiVersion", string},
                                               {"kind", string},
                                               {"metadata", std::move(metadata)},
                                               {"items", std::move(items)}}},
                   {"x-kubernetes-group-version-kind", group_version_kind(kind, "List")}};
}

json::object OpenAPISchemas::reference(std::string_view name) const {
  const std::string_view where =
      version_ == OpenAPIVersion::v2 ? "#/definitions/" : "#/components/schemas/";
  return {{"$ref", std::string(where).append(name)}};
}

std::string OpenAPISchemas::list_name(const Kind& kind) { return kind.schema->name + "List"; }

json::object OpenAPISchemas::write(const Schema& schema, const std::string& doc) {
  json::object out;
  if (!doc.empty()) out["description"] = doc;
  switch (schema.type) {
    case Type::any:
      break;
    case Type::object: {
      if (schema.name.empty()) {
        json::object written = write_object(schema);
        if (!doc.empty()) written["description"] = doc;
        return written;
      }
      define(schema);
      // In OpenAPI 3.0 nothing may stand beside a $ref.
      if (version_ == OpenAPIVersion::v2)
        out["$ref"] = reference(schema.name).at("$ref");
      else
        out["allOf"] = json::array{reference(schema.name)};
      break;
    }
    case Type::map:
      out["type"] = "object";
      if (schema.items) out["additionalProperties"] = write(*schema.items, {});
      break;
    case Type::list:
      out["type"] = "array";
      out["items"] = write(*schema.items, {});
      break;
    default:
      add_scalar(schema, version_, out);
  }
  if (schema.nullable && version_ == OpenAPIVersion::v3) out["nullable"] = true;
  return out;
}

json::object OpenAPISchemas::write_object(const Schema& schema) {
  json::object properties;
  json::array required;
  for (const auto& field : schema.fields) {
    properties[field.name] = write_field(field);
    if (field.is_required && field.name != "apiVersion" && field.name != "kind")
      required.emplace_back(field.name);
  }
  json::object out{{"type", "object"}};
  if (!schema.doc.empty()) out["description"] = schema.doc;
  if (!required.empty()) out["required"] = std::move(required);
  if (!properties.empty()) out["properties"] = std::move(properties);
  return out;
}

json::object OpenAPISchemas::write_field(const Field& field) {
  json::object out = write(*field.schema, field.doc);
  const bool nested = field.default_value && field.default_value->is_structured();
  if (field.default_value && !nested) out["default"] = *field.default_value;
  add_patch_strategy(field.patch, out);
  return out;
}

// ---- types that are no kinds
// ----------------------------------------------------------------------

namespace {

constexpr const char* k_meta = "io.k8s.apimachinery.pkg.apis.meta.v1.";

KeptField type_field(std::string name) { return keep(std::move(name), string(), "The type."); }

}  // namespace

const Schema& list_meta_schema() {
  static const auto described =
      object(std::string(k_meta) + "ListMeta", "What every list has.",
             {keep("resourceVersion", string(), "When the list was made; where to watch from."),
              keep("continue", string(), "Asks for the rest of a list that was cut."),
              keep("remainingItemCount", integer(), "How many objects the rest has."),
              keep("selfLink", string(), "Deprecated.")});
  return *described.schema();
}

const Schema& status_schema() {
  static const auto described =
      object(std::string(k_meta) + "Status", "An answer that is no object: how a request ended.",
             {type_field("apiVersion"), type_field("kind"),
              keep("metadata", any_object(), "What every list has."),
              keep("status", string(), "Success or Failure."),
              keep("message", string(), "What happened, in a sentence."),
              keep("reason", string(), "Why it failed, in one word."),
              keep("details", any_object(), "What it is about, with a cause for each bad field."),
              keep("code", integer(), "The HTTP status.")});
  return *described.schema();
}

const Schema& delete_options_schema() {
  static const auto described =
      object(std::string(k_meta) + "DeleteOptions", "How to delete.",
             {type_field("apiVersion"), type_field("kind"),
              keep("gracePeriodSeconds", integer(), "How long the object may take to end."),
              keep("preconditions", any_object(), "The uid or version it must have."),
              keep("orphanDependents", boolean(), "Deprecated: use propagationPolicy."),
              keep("propagationPolicy", string().one_of({"Orphan", "Background", "Foreground"}),
                   "What becomes of the objects it owns."),
              keep("dryRun", list(string()), "All: nothing is deleted."),
              keep("ignoreStoreReadErrorWithClusterBreakingPotential", boolean(),
                   "Delete what cannot be read.")});
  return *described.schema();
}

const Schema& patch_schema() {
  static const auto described =
      object(std::string(k_meta) + "Patch", "A change, in the form its content type says.", {});
  return *described.schema();
}

}  // namespace margay::api
