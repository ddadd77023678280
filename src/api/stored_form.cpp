#include "api/stored_form.h"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>

#include "api/calico/tier.h"
#include "api/codec.h"
#include "api/json_path.h"
#include "api/report.h"
#include "api/schema.h"

namespace margay::api {

namespace {

constexpr std::string_view k_tier = "default";
constexpr std::string_view k_tier_prefix = "default.";
constexpr const char* k_name_rule =
    "must be default. and the policy's name, which has no dot: policies of other tiers are in "
    "projectcalico.org/v3 alone";

// What the annotation leaves to the object's own metadata; and what nobody keeps.
constexpr auto k_not_in_annotation =
    std::to_array<std::string_view>({"name", "namespace", "resourceVersion", "labels",
                                     "annotations", "generation", "managedFields", "selfLink"});
// What of it a client may set.
constexpr auto k_from_annotation =
    std::to_array<std::string_view>({"finalizers", "ownerReferences"});

json::string annotation_text(const json::object& metadata) {
  json::object out;
  for (const auto& [name, value] : metadata)
    if (std::ranges::find(k_not_in_annotation, std::string_view(name)) == k_not_in_annotation.end())
      out[name] = value;
  return json::string(json::serialize(out));
}

// Takes the annotation out; nothing when there is none.
std::optional<json::value> take_annotation(json::object& metadata) {
  json::value* value = metadata.if_contains("annotations");
  if (value == nullptr || !value->is_object()) return std::nullopt;
  json::object& annotations = value->get_object();
  const auto found = annotations.find(k_metadata_annotation);
  if (found == annotations.end()) return std::nullopt;
  json::value taken = std::move(found->value());
  annotations.erase(found);
  if (annotations.empty()) metadata.erase("annotations");
  return taken;
}

json::object read_annotation(const json::value& value, const Report& report) {
  const auto refuse = [&](const std::string& why) {
    report.invalid(value, "must be the object's metadata as JSON text: " + why);
    return json::object();
  };
  if (!value.is_string()) return refuse("it is no text");
  auto parsed = parse_json(value.get_string());
  if (!parsed) return refuse(parsed.error().message);
  if (!parsed->is_object()) return refuse("it is no object");
  return std::move(parsed->get_object());
}

// Calico's clients leave creationTimestamp out of the metadata, or send null.
bool has_own_metadata(const json::object& metadata) {
  const json::value* created = metadata.if_contains("creationTimestamp");
  return created != nullptr && !created->is_null();
}

void adopt(const json::object& from_annotation, json::object& metadata) {
  for (const auto name : k_from_annotation) {
    const json::value* own = metadata.if_contains(name);
    if (own != nullptr && !own->is_null()) continue;
    if (const json::value* value = from_annotation.if_contains(name)) metadata[name] = *value;
  }
}

void check_tier(const Kind& kind, const json::object& object, const Report& report) {
  const json::value* tier = find_at(object, {"spec", "tier"});
  if (!names_differ(kind) || tier == nullptr || !tier->is_string()) return;
  if (const std::string_view text = tier->get_string(); !text.empty() && text != k_tier)
    report.field("spec").field("tier").invalid(
        *tier, "must be default: policies of other tiers are in projectcalico.org/v3 alone");
}

void keep_later(const Schema& schema, const json::object& before, json::object& object) {
  for (const auto& field : schema.fields) {
    const json::value* old = before.if_contains(field.name);
    if (old == nullptr) continue;
    json::value* now = object.if_contains(field.name);
    if (field.is_beyond_v3_19) {
      if (now == nullptr) object[field.name] = *old;
    } else if (field.schema->type == Schema::Type::object && old->is_object()) {
      json::object kept;
      const bool is_there = now != nullptr && now->is_object();
      keep_later(*field.schema, old->get_object(), is_there ? now->get_object() : kept);
      if (!kept.empty() && (now == nullptr || now->is_null())) object[field.name] = std::move(kept);
    }
  }
}

}  // namespace

const Kind* shown_kind(const Kind& kind) {
  return kind.shows.empty() ? nullptr : find_resource(kind.shows);
}

const Kind* stored_form_of(const Kind& kind) {
  const auto resource = kind.resource();
  const auto found = std::ranges::find(kinds(), resource, &Kind::shows);
  return found == kinds().end() ? nullptr : &*found;
}

bool names_differ(const Kind& kind) {
  return !kind.shows.empty() &&
         (kind.plural == "networkpolicies" || kind.plural == "globalnetworkpolicies");
}

bool has_form(const Kind& kind, std::string_view name) {
  return !names_differ(kind) || calico::tier_of_name(name) == k_tier;
}

std::string stored_name(const Kind& kind, std::string_view name) {
  const bool prefixed = names_differ(kind) && name.find('.') == std::string_view::npos;
  return std::string(prefixed ? k_tier_prefix : "").append(name);
}

std::optional<std::string> shown_name(const Kind& kind, std::string_view stored) {
  if (!names_differ(kind)) return std::string(stored);
  if (stored.find('.') == std::string_view::npos) return std::nullopt;
  if (!stored.starts_with(k_tier_prefix))
    return has_form(kind, stored) ? std::optional(std::string(stored)) : std::nullopt;
  const auto name = stored.substr(k_tier_prefix.size());
  // "default.a.b" would be v3's "a.b", whose stored name that is too.
  if (name.empty() || name.find('.') != std::string_view::npos) return std::nullopt;
  return std::string(name);
}

base::Result<> check_stored_name(const Kind& kind, std::string_view stored) {
  if (shown_name(kind, stored)) return {};
  std::vector<base::FieldError> errors;
  Report(errors).field("metadata").field("name").invalid(std::string(stored), k_name_rule);
  return base::fail(std::move(errors));
}

json::object to_stored_form(const Kind& kind, json::object object) {
  object["apiVersion"] = kind.api_version();
  object["kind"] = kind.name;
  json::value& value = object["metadata"];
  if (!value.is_object()) value.emplace_object();
  json::object& metadata = value.get_object();
  for (const char* field : {"name", "generateName"})
    if (const json::value* name = metadata.if_contains(field); name != nullptr && name->is_string())
      metadata[field] = stored_name(kind, name->get_string());
  auto text = annotation_text(metadata);
  json::value& annotations = metadata["annotations"];
  if (!annotations.is_object()) annotations.emplace_object();
  annotations.get_object()[k_metadata_annotation] = std::move(text);
  return object;
}

base::Result<json::object> from_stored_form(const Kind& kind, json::object object) {
  object["apiVersion"] = shown_kind(kind)->api_version();
  json::value* value = object.if_contains("metadata");
  if (value == nullptr || !value->is_object()) return object;  // for validation to refuse
  json::object& metadata = value->get_object();
  std::vector<base::FieldError> errors;
  const auto report = Report(errors).field("metadata");
  for (const char* field : {"name", "generateName"}) {
    const json::value* name = metadata.if_contains(field);
    if (name == nullptr || !name->is_string() || name->get_string().empty()) continue;
    if (auto shown = shown_name(kind, name->get_string()))
      metadata[field] = std::move(*shown);
    else
      report.field(field).invalid(*name, k_name_rule);
  }
  check_tier(kind, object, Report(errors));
  if (const auto annotation = take_annotation(metadata)) {
    const auto held =
        read_annotation(*annotation, report.field("annotations").key(k_metadata_annotation));
    if (!has_own_metadata(metadata)) adopt(held, metadata);
  }
  if (!errors.empty()) return base::fail(std::move(errors));
  return object;
}

void keep_later_fields(const Kind& kind, const json::object& before, json::object& object) {
  keep_later(*kind.schema, before, object);
}

base::Result<> check_no_stored_metadata(const Kind& kind, const json::object& object,
                                        const json::object& before) {
  const auto annotation_of = [](const json::object& from) {
    return find_at(from, {"metadata", "annotations", k_metadata_annotation});
  };
  const json::value* now = annotation_of(object);
  const json::value* old = annotation_of(before);
  if (now == nullptr || stored_form_of(kind) == nullptr) return {};
  if (old != nullptr && *old == *now) return {};
  std::vector<base::FieldError> errors;
  Report(errors)
      .field("metadata")
      .field("annotations")
      .key(k_metadata_annotation)
      .forbidden("it is for the stored form of crd.projectcalico.org/v1, which is made of this");
  return base::fail(std::move(errors));
}

}  // namespace margay::api
