#include "apiserver/kind_rules.h"

#include <boost/json/value.hpp>

#include "apiserver/base64.h"
#include "apiserver/object.h"

namespace margay::apiserver {
namespace {

constexpr std::string_view k_namespace_label = "kubernetes.io/metadata.name";

json::object& member_object(json::object& object, std::string_view name) {
  auto& value = object[name];
  return value.is_object() ? value.as_object() : value.emplace_object();
}

// A kubelet creates its Node with status; every other status is the server's to begin.
bool client_may_create_status(const api::Kind& kind) { return kind.resource() == "nodes"; }

void label_namespace(json::object& object) {
  auto& metadata = metadata_of(object);
  // Labels of the wrong shape are for validation to refuse.
  if (const auto* labels = metadata.if_contains("labels");
      labels != nullptr && !labels->is_object())
    if (!labels->is_null()) return;
  const std::string name(text_at(metadata, {"name"}));  // adding members moves what it views
  member_object(metadata, "labels")[k_namespace_label] = name;
}

// stringData is write-only: its values go into data, encoded.
void encode_string_data(json::object& secret) {
  const auto* given = secret.if_contains("stringData");
  const auto* strings = given != nullptr ? given->if_object() : nullptr;
  if (strings == nullptr) return;
  json::object rest;
  auto& encoded = member_object(secret, "data");
  // member_object() may have moved what `strings` points to.
  for (const auto& [name, value] : secret.at("stringData").as_object()) {
    if (const auto* text = value.if_string())
      encoded[name] = base64(*text);
    else
      rest[name] = value;  // for validation to refuse
  }
  if (rest.empty())
    secret.erase("stringData");
  else
    secret["stringData"] = std::move(rest);
}

}  // namespace

void apply_create_rules(const api::Kind& kind, json::object& object) {
  const auto resource = kind.resource();
  if (kind.has_status && !client_may_create_status(kind)) object.erase("status");
  if (resource == "pods") {
    object["status"] = {{"phase", "Pending"}};
    if (auto* spec = object.if_contains("spec"); spec != nullptr && spec->is_object())
      if (text_at(spec->as_object(), {"serviceAccountName"}).empty())
        spec->as_object()["serviceAccountName"] = "default";
  } else if (resource == "namespaces") {
    object["status"] = {{"phase", "Active"}};
    label_namespace(object);
  } else if (resource == "secrets") {
    encode_string_data(object);
  }
}

void apply_update_rules(const api::Kind& kind, const json::object& old_object,
                        json::object& object) {
  if (kind.has_status) carry_over("status", old_object, object);
  if (kind.resource() == "namespaces") label_namespace(object);
  if (kind.resource() == "secrets") encode_string_data(object);
}

void apply_status_rules(const api::Kind& kind, const json::object& old_object,
                        json::object& object) {
  auto with_status = old_object;
  carry_over("status", object, with_status);
  carry_over("metadata", object, with_status);
  if (kind.resource() == "pods")
    carry_over("ownerReferences", metadata_of(old_object), metadata_of(with_status));
  object = std::move(with_status);
}

}  // namespace margay::apiserver
