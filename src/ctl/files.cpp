#include "ctl/files.h"

#include <fmt/format.h>

#include "api/codec.h"
#include "api/json_path.h"
#include "ctl/manifest.h"

namespace margay::ctl {
namespace {

namespace json = boost::json;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::string_view k_list_suffix = "List";
constexpr std::string_view k_stored_version = "crd.projectcalico.org/v1";
constexpr std::string_view k_shown_version = "projectcalico.org/v3";
constexpr std::string_view k_stored_policy_prefix = "default.";  // of the tier

// A resource of which the policy model has a kind, if perhaps not this version of it. Of Calico's
// groups that is every kind: one that is not described here may have a bearing.
bool bears_on_policy(std::string_view api_version, std::string_view kind) {
  return api_version.starts_with("projectcalico.org/") ||
         api_version.starts_with("crd.projectcalico.org/") || kind == "NetworkPolicy" ||
         kind == "Pod" || kind == "Namespace" || kind == "ServiceAccount" || kind == "Node";
}

class Reader {
 public:
  Result<> read(const std::string& path) {
    MARGAY_TRY(const std::string text, read_manifest_text(path));
    auto documents = parse(path, text);
    if (!documents) return fail(std::move(documents).error().wrap(path));
    for (json::value& document : *documents) MARGAY_CHECK(add(path, document, {}, {}));
    return {};
  }

  FileObjects found;

 private:
  static Result<std::vector<json::value>> parse(const std::string& path, const std::string& text) {
    if (!path.ends_with(".json")) return api::parse_yaml(text);
    MARGAY_TRY(json::value value, api::parse_json(text));
    return std::vector<json::value>{std::move(value)};
  }

  // `list_version` and `list_kind` are what the items of a typed list leave out.
  Result<> add(const std::string& path, json::value& value, std::string_view list_version,
               std::string_view list_kind) {
    if (!value.is_object()) return fail(ErrorCode::invalid, path + ": an object was expected");
    json::object& object = value.get_object();
    if (!object.contains("apiVersion") && !list_kind.empty()) object["apiVersion"] = list_version;
    if (!object.contains("kind") && !list_kind.empty()) object["kind"] = list_kind;
    const std::string version(api::text_at(object, {"apiVersion"}));
    const std::string kind(api::text_at(object, {"kind"}));
    if (version.empty() || kind.empty())
      return fail(ErrorCode::invalid, path + ": an object needs apiVersion and kind");
    auto* items = object.if_contains("items");
    if (kind.ends_with(k_list_suffix) && items && items->is_array()) {
      const std::string_view item_kind(kind.data(), kind.size() - k_list_suffix.size());
      for (json::value& item : items->get_array())
        MARGAY_CHECK(add(path, item, version, item_kind));
      return {};
    }
    return add_object(path, std::move(object), version, kind);
  }

  Result<> add_object(const std::string& path, json::object object, const std::string& version,
                      const std::string& name) {
    const api::Kind* kind = find_kind(version, name, object);
    if (kind == nullptr) {
      if (bears_on_policy(version, name))
        return fail(ErrorCode::invalid,
                    fmt::format("{}: there is no {} in {}", path, name, version));
      found.warnings.push_back(
          fmt::format("{}: {} has no bearing on policy and is left out", path, name));
      return {};
    }
    std::string origin = fmt::format("{}: {} {}", path, name, place(*kind, object));
    auto prepared = api::prepare(*kind, object, api::UnknownFields::warn);
    if (prepared) {
      for (const auto& warning : prepared->warnings)
        found.warnings.push_back(fmt::format("{}: {}", origin, warning));
      object = std::move(prepared->object);
    } else if (kind->group.ends_with("projectcalico.org")) {
      return fail(std::move(prepared).error().wrap(origin));
    } else {
      found.warnings.push_back(fmt::format("{}: {}", origin, prepared.error().message));
    }
    found.objects.push_back({kind, std::move(object), std::move(origin)});
    return {};
  }

  // What Calico stores in Kubernetes is what its API shows, under another group and version, and
  // policies with their tier in the name.
  static const api::Kind* find_kind(const std::string& version, const std::string& name,
                                    json::object& object) {
    const api::Kind* kind = api::find_kind(version, name);
    if (version != k_stored_version || (kind != nullptr && kind->shows.empty())) return kind;
    object["apiVersion"] = k_shown_version;
    if (name.ends_with("NetworkPolicy") && name != "StagedKubernetesNetworkPolicy")
      show_policy_name(object);
    return api::find_kind(k_shown_version, name);
  }

  static void show_policy_name(json::object& policy) {
    json::value* metadata = policy.if_contains("metadata");
    if (metadata == nullptr || !metadata->is_object()) return;
    const std::string name(api::text_at(metadata->get_object(), {"name"}));
    if (name.starts_with(k_stored_policy_prefix))
      metadata->get_object()["name"] = name.substr(k_stored_policy_prefix.size());
  }

  // Sees to the object's namespace, and says its name.
  static std::string place(const api::Kind& kind, json::object& object) {
    if (!object["metadata"].is_object()) return {};
    json::object& metadata = object["metadata"].get_object();
    std::string name(api::text_at(metadata, {"name"}));
    if (!kind.namespaced) return name;
    if (api::text_at(metadata, {"namespace"}).empty()) metadata["namespace"] = "default";
    return std::string(api::text_at(metadata, {"namespace"})) + "/" + name;
  }
};

}  // namespace

store::Key FileObject::key() const {
  store::Key key{.resource = kind->resource()};
  key.name = api::text_at(object, {"metadata", "name"});
  if (kind->namespaced) key.ns = api::text_at(object, {"metadata", "namespace"});
  return key;
}

Result<FileObjects> read_objects(const std::vector<std::string>& paths) {
  Reader reader;
  for (const std::string& path : paths) {
    MARGAY_TRY(const auto files, manifest_files({.path = path, .recursive = true}));
    if (files.empty())
      return fail(ErrorCode::not_found, path + ": no *.yaml, *.yml or *.json in it");
    for (const std::string& file : files) MARGAY_CHECK(reader.read(file));
  }
  return std::move(reader.found);
}

}  // namespace margay::ctl
