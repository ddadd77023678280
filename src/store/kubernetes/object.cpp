#include "store/kubernetes/object.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <charconv>

#include "api/codec.h"
#include "api/json_path.h"

namespace margay::store::kubernetes {
namespace json = boost::json;
using api::text_at;
using base::ErrorCode;
using base::fail;
using base::Result;

Result<const api::Kind*> find_kind(std::string_view resource) {
  const auto* kind = api::find_resource(resource);
  if (kind == nullptr)
    return fail(ErrorCode::unsupported, fmt::format("unknown resource \"{}\"", resource));
  return kind;
}

std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain)
      escaped += c;
    else
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return escaped;
}

std::string collection_path(const api::Kind& kind, std::string_view ns) {
  std::string path = kind.group.empty() ? "/api/" + kind.version
                                        : fmt::format("/apis/{}/{}", kind.group, kind.version);
  if (kind.namespaced && !ns.empty()) path += "/namespaces/" + escape(ns);
  return path + "/" + kind.plural;
}

Result<std::string> object_path(const api::Kind& kind, const Key& key) {
  if (key.name.empty()) return fail(ErrorCode::invalid, kind.resource() + ": a name is required");
  if (kind.namespaced && key.ns.empty())
    return fail(ErrorCode::invalid,
                fmt::format("{} \"{}\": a namespace is required", kind.resource(), key.name));
  return collection_path(kind, key.ns) + "/" + escape(key.name);
}

Result<json::object> parse_object(std::string_view text) {
  // Lists and events hold objects of every depth that the API accepts.
  auto value = api::parse_json(text, api::k_envelope_limits);
  if (!value) return fail(ErrorCode::invalid, "not JSON: " + value.error().message);
  if (!value->is_object()) return fail(ErrorCode::invalid, "not a JSON object");
  return std::move(value->get_object());
}

Result<json::object> parse_answer(std::string_view text) {
  auto object = parse_object(text);
  if (!object) return fail(ErrorCode::internal, "the server's answer is " + object.error().message);
  return object;
}

Result<Revision> parse_revision(std::string_view text) {
  Revision revision = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, revision);
  if (parsed.ec != std::errc() || parsed.ptr != end || revision < 0)
    return fail(ErrorCode::internal,
                fmt::format("the server's resourceVersion \"{}\" is not a number", text));
  return revision;
}

Result<Revision> revision_of(const json::object& object) {
  const auto& metadata = api::object_at(object, {"metadata"});
  if (metadata.empty()) return fail(ErrorCode::internal, "the server's object has no metadata");
  return parse_revision(text_at(metadata, {"resourceVersion"}));
}

Result<Entry> to_entry(const api::Kind& kind, json::object object) {
  Entry entry;
  MARGAY_TRY(entry.revision, revision_of(object));
  entry.key = {kind.resource(), std::string(text_at(object, {"metadata", "namespace"})),
               std::string(text_at(object, {"metadata", "name"}))};
  if (entry.key.name.empty())
    return fail(ErrorCode::internal, "the server's object has no metadata.name");
  if (!object.contains("apiVersion")) object["apiVersion"] = kind.api_version();
  if (!object.contains("kind")) object["kind"] = kind.name;
  entry.value = json::serialize(object);
  return entry;
}

Result<std::string> to_body(const api::Kind& kind, const Key& key, std::string_view value,
                            std::optional<Revision> resource_version) {
  auto object = parse_object(value);
  if (!object) return fail(std::move(object).error().wrap(kind.resource() + " " + key.name));
  if (!object->contains("apiVersion")) (*object)["apiVersion"] = kind.api_version();
  if (!object->contains("kind")) (*object)["kind"] = kind.name;
  auto& metadata = (*object)["metadata"];
  if (!metadata.is_object()) metadata = json::object();
  auto& fields = metadata.get_object();
  if (!key.name.empty()) fields["name"] = key.name;
  if (kind.namespaced && !key.ns.empty()) fields["namespace"] = key.ns;
  fields.erase("resourceVersion");
  if (resource_version) fields["resourceVersion"] = std::to_string(*resource_version);
  return json::serialize(*object);
}

}  // namespace margay::store::kubernetes
