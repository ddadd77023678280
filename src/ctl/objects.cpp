#include "ctl/objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <vector>

#include "api/codec.h"
#include "api/json_path.h"
#include "api/patch.h"
#include "api/stored_form.h"
#include "ctl/derived.h"
#include "ctl/validation.h"

namespace margay::ctl {
namespace {

using api::text_at;
using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::string_view k_namespace_profiles = "kns.";
constexpr std::string_view k_service_account_profiles = "ksa.";

std::string text_in(const json::object& object, std::string_view member) {
  return std::string(text_at(object, {"metadata", member}));
}

store::Key key_of(const ResourceType& type, const std::string& ns, const std::string& name) {
  return {type.kind->resource(), type.kind->namespaced ? ns : "", name};
}

store::Key key_of(const ResourceType& type, const json::object& object) {
  return key_of(type, text_in(object, "namespace"), text_in(object, "name"));
}

Result<json::object> read_entry(const store::Entry& entry) {
  auto value = api::parse_json(entry.value, api::k_envelope_limits);
  if (!value || !value->is_object())
    return fail(ErrorCode::internal, fmt::format("{} {} in the datastore is no object",
                                                 entry.key.resource, entry.key.name));
  auto& metadata = value->get_object()["metadata"];
  if (!metadata.is_object()) metadata.emplace_object();
  metadata.get_object()["resourceVersion"] = std::to_string(entry.revision);
  return std::move(value->get_object());
}

std::optional<store::Revision> parse_revision(const std::string& text) {
  store::Revision revision = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return revision;
}

// Only labels and annotations are for calicoctl to change.
json::object with_metadata_of(const json::object& current, json::object object) {
  json::object metadata = current.at("metadata").get_object();
  for (const auto* name : {"labels", "annotations"}) {
    metadata.erase(name);
    if (const auto* given = api::find_at(object, {"metadata", name})) metadata[name] = *given;
  }
  object["metadata"] = std::move(metadata);
  return object;
}

// What a new object may say of itself.
json::object with_new_metadata(json::object object) {
  json::object metadata;
  for (const auto* name : {"name", "namespace", "labels", "annotations"})
    if (const auto* given = api::find_at(object, {"metadata", name})) metadata[name] = *given;
  object["metadata"] = std::move(metadata);
  return object;
}

// The annotation of derived nodes, which says nothing of one that is stored.
json::object without_kube_labels(json::object node) {
  auto& metadata = node.at("metadata").get_object();
  if (auto* annotations = metadata.if_contains("annotations");
      annotations != nullptr && annotations->is_object())
    annotations->get_object().erase(k_kube_labels);
  return node;
}

std::unexpected<Error> unsupported(std::string_view operation, const std::string& what,
                                   std::string_view reason = {}) {
  return fail(ErrorCode::unsupported,
              fmt::format("operation {} is not supported on {}{}{}", operation, what,
                          reason.empty() ? "" : ": ", reason));
}

// What its owner alone writes. `operations` as v3.19 names them.
Result<> check_writable(const ResourceType& type, const json::object& object,
                        std::string_view operations) {
  const auto name = text_in(object, "name");
  if (type.kind->name == "ClusterInformation") return unsupported(operations, "ClusterInformation");
  if (type.kind->name == "NetworkPolicy" && name.starts_with("knp.default."))
    return unsupported(operations, identifier(type, text_in(object, "namespace"), name),
                       "kubernetes network policies must be managed through the kubernetes API");
  return {};
}

bool is_derived_profile(const ResourceType& type, std::string_view name) {
  return type.kind->name == "Profile" &&
         (name == k_default_allow || name.starts_with(k_namespace_profiles) ||
          name.starts_with(k_service_account_profiles));
}

}  // namespace

Error told(Error error, const ResourceType& type, const std::string& ns, const std::string& name) {
  const auto* form = api::stored_form_of(*type.kind);
  const auto shown = form != nullptr && !name.empty() ? api::stored_name(*form, name) : name;
  const auto what = name.empty() ? type.kind->name : identifier(type, ns, shown);
  switch (error.code) {
    case ErrorCode::not_found: {
      const auto missing =
          name.empty() ? error.message
                       : fmt::format("{} \"{}\" not found",
                                     (form != nullptr ? *form : *type.kind).resource(), shown);
      error.message = fmt::format("resource does not exist: {} with error: {}", what, missing);
      return error;
    }
    case ErrorCode::already_exists:
      error.message = "resource already exists: " + what;
      return error;
    case ErrorCode::conflict:
      error.message = "update conflict: " + what;
      return error;
    case ErrorCode::unauthorized:
    case ErrorCode::forbidden:
      error.message = "connection is unauthorized: " + error.message;
      return error;
    case ErrorCode::invalid:
      if (!error.fields.empty()) error.message = field_errors_text(error.fields);
      return error;
    default:
      return error;
  }
}

// ---- reading
// --------------------------------------------------------------------------------------

Result<json::object> Objects::stored(const ResourceType& type, const std::string& ns,
                                     const std::string& name) {
  const auto entry = store_.get(key_of(type, ns, name));
  if (!entry) return fail(told(entry.error(), type, ns, name));
  return read_entry(*entry);
}

Result<json::object> Objects::kubernetes_object(const store::Key& key) {
  auto entry = store_.get(key);
  if (!entry && entry.error().code == ErrorCode::not_found)
    entry.error().message = fmt::format("{} \"{}\" not found", key.resource, key.name);
  if (!entry) return fail(entry.error());
  return read_entry(*entry);
}

Result<std::vector<json::object>> Objects::kubernetes_objects(const store::Scope& scope) {
  MARGAY_TRY(const auto list, store_.list(scope));
  std::vector<json::object> objects;
  for (const auto& entry : list.entries) {
    MARGAY_TRY(auto object, read_entry(entry));
    objects.push_back(std::move(object));
  }
  return objects;
}

// `not_found`, in the words of the Kubernetes object's, where there is none to derive it from.
Result<json::object> Objects::derived(const ResourceType& type, const std::string& ns,
                                      const std::string& name) {
  const auto& kind = type.kind->name;
  if (kind == "Node") {
    MARGAY_TRY(const auto node, kubernetes_object({"nodes", "", name}));
    return derived_node(node);
  }
  if (const auto endpoint = parse_endpoint_name(name); kind == "WorkloadEndpoint" && endpoint) {
    MARGAY_TRY(const auto pod, kubernetes_object({"pods", ns, endpoint->pod}));
    MARGAY_TRY(auto made, derived_endpoint(pod));
    if (made && text_in(*made, "name") == name) return *std::move(made);
    return fail(ErrorCode::not_found, fmt::format("pods \"{}\" not found", endpoint->pod));
  }
  if (kind == "WorkloadEndpoint")
    return fail(ErrorCode::not_found,
                "malformed WorkloadEndpoint name - unable to determine Pod name");
  if (!is_derived_profile(type, name)) return fail(ErrorCode::not_found, "");
  if (name == k_default_allow) return default_allow_profile();
  if (name.starts_with(k_namespace_profiles)) {
    MARGAY_TRY(const auto object,
               kubernetes_object({"namespaces", "", name.substr(k_namespace_profiles.size())}));
    return namespace_profile(object);
  }
  const auto rest = name.substr(k_service_account_profiles.size());
  const auto dot = rest.find('.');
  if (dot == std::string::npos) return fail(ErrorCode::not_found, "");
  MARGAY_TRY(const auto account,
             kubernetes_object({"serviceaccounts", rest.substr(0, dot), rest.substr(dot + 1)}));
  return service_account_profile(account);
}

Result<json::array> Objects::all_derived(const ResourceType& type, const std::string& ns) {
  const auto& kind = type.kind->name;
  json::array made;
  if (kind == "Node") {
    MARGAY_TRY(const auto nodes, kubernetes_objects({.resource = "nodes"}));
    for (const auto& node : nodes) made.push_back(derived_node(node));
  } else if (kind == "WorkloadEndpoint") {
    MARGAY_TRY(const auto pods, kubernetes_objects({.resource = "pods", .ns = ns}));
    for (const auto& pod : pods) {
      MARGAY_TRY(auto endpoint, derived_endpoint(pod));
      if (endpoint) made.push_back(*std::move(endpoint));
    }
  } else if (kind == "Profile") {
    made.push_back(default_allow_profile());
    MARGAY_TRY(const auto namespaces, kubernetes_objects({.resource = "namespaces"}));
    for (const auto& object : namespaces) {
      MARGAY_TRY(auto profile, namespace_profile(object));
      made.push_back(std::move(profile));
    }
    MARGAY_TRY(const auto accounts, kubernetes_objects({.resource = "serviceaccounts"}));
    for (const auto& account : accounts) {
      MARGAY_TRY(auto profile, service_account_profile(account));
      made.push_back(std::move(profile));
    }
  }
  return made;
}

Result<ObjectList> Objects::list(const ResourceType& type, const std::string& ns) {
  const auto found = store_.list({.resource = type.kind->resource(), .ns = ns});
  if (!found) return fail(told(found.error(), type, ns, ""));
  std::set<std::pair<std::string, std::string>> stored;
  ObjectList list{.items = {}, .revision = std::to_string(found->revision)};
  json::array own;
  for (const auto& entry : found->entries) {
    MARGAY_TRY(auto object, read_entry(entry));
    stored.emplace(entry.key.ns, entry.key.name);
    own.push_back(std::move(object));
  }
  // Where v3.19 has none, or one of each list that it reads.
  if (type.kind->name == "Node" || type.kind->name == "WorkloadEndpoint") list.revision.clear();
  if (type.kind->name == "Profile") list.revision += "/" + list.revision;
  auto derived = all_derived(type, ns);
  if (!derived) return fail(told(derived.error(), type, ns, ""));
  for (auto& object : *derived) {
    const auto& one = object.get_object();
    if (!stored.contains({text_in(one, "namespace"), text_in(one, "name")}))
      list.items.push_back(std::move(object));
  }
  std::ranges::move(own, std::back_inserter(list.items));
  return list;
}

Result<json::object> Objects::get(const ResourceType& type, const std::string& ns,
                                  const std::string& name) {
  auto object = stored(type, ns, name);
  if (object || object.error().code != ErrorCode::not_found) return object;
  auto made = derived(type, ns, name);
  if (made) return made;
  if (made.error().code != ErrorCode::not_found) return fail(told(made.error(), type, ns, name));
  if (!made.error().message.empty())
    object.error().message = fmt::format("resource does not exist: {} with error: {}",
                                         identifier(type, ns, name), made.error().message);
  return object;
}

// ---- writing
// --------------------------------------------------------------------------------------

Result<> Objects::create(const ResourceType& type, const json::object& object) {
  MARGAY_CHECK(check_writable(type, object, "create or apply"));
  const auto key = key_of(type, object);
  if (is_derived_profile(type, key.name))
    return unsupported("Create", identifier(type, key.ns, key.name));
  if (!text_in(object, "resourceVersion").empty())
    return fail(ErrorCode::invalid,
                fmt::format("error with field Metadata.ResourceVersion = '{}' (field must not be "
                            "set for a Create request)",
                            text_in(object, "resourceVersion")));
  const auto fresh = with_new_metadata(object);
  if (const auto valid = validate(type, fresh); !valid)
    return fail(told(valid.error(), type, key.ns, key.name));
  const auto made = store_.create(key, api::to_json(fresh));
  if (made) return {};
  // That its namespace is missing is no word about the object.
  if (made.error().code == ErrorCode::not_found) return fail(made.error());
  return fail(told(made.error(), type, key.ns, key.name));
}

Result<> Objects::write(const ResourceType& type, const json::object& current,
                        const json::object& object) {
  const auto key = key_of(type, object);
  if (const auto valid = validate(type, object); !valid)
    return fail(told(valid.error(), type, key.ns, key.name));
  const auto revision = parse_revision(text_in(current, "resourceVersion"));
  auto written = store_.update(key, api::to_json(object), revision);
  // A derived Node becomes one of its own.
  if (!written && written.error().code == ErrorCode::not_found && type.kind->name == "Node")
    written = store_.create(key, api::to_json(without_kube_labels(with_new_metadata(object))));
  if (!written) return fail(told(written.error(), type, key.ns, key.name));
  return {};
}

Result<> Objects::replace(const ResourceType& type, const json::object& object) {
  MARGAY_CHECK(check_writable(type, object, "apply or replace"));
  const auto key = key_of(type, object);
  const auto revision = text_in(object, "resourceVersion");
  constexpr int k_attempts = 5;
  for (int attempt = 1;; ++attempt) {
    MARGAY_TRY(const auto current, get(type, key.ns, key.name));
    if (!revision.empty() && revision != text_in(current, "resourceVersion"))
      return fail(told({ErrorCode::conflict, {}, {}}, type, key.ns, key.name));
    if (is_derived_profile(type, key.name) ||
        (type.kind->name == "WorkloadEndpoint" && !stored(type, key.ns, key.name)))
      return unsupported("Update", identifier(type, key.ns, key.name));
    auto written = write(type, current, with_metadata_of(current, object));
    const bool was_raced = !written && written.error().code == ErrorCode::conflict;
    if (!was_raced || !revision.empty() || attempt == k_attempts) return written;
  }
}

Result<> Objects::apply(const ResourceType& type, const json::object& object) {
  if (type.kind->name == "ClusterInformation")
    return unsupported("apply", "ClusterInformation", "resource is readonly");
  auto fresh = object;
  if (auto* metadata = fresh.if_contains("metadata"); metadata != nullptr && metadata->is_object())
    metadata->get_object().erase("resourceVersion");
  auto made = create(type, fresh);
  const bool may_exist = !made && (made.error().code == ErrorCode::already_exists ||
                                   made.error().code == ErrorCode::unsupported);
  return may_exist ? replace(type, object) : made;
}

Result<> Objects::patch(const ResourceType& type, const std::string& ns, const std::string& name,
                        const json::value& patch) {
  MARGAY_TRY(const auto current, get(type, ns, name));
  MARGAY_CHECK(check_writable(type, current, "apply or replace"));
  auto patched = api::apply_strategic_merge_patch(*type.kind->schema, current, patch);
  if (!patched) return fail(told(patched.error(), type, ns, name));
  if (!patched->is_object())
    return fail(ErrorCode::invalid, "the patched resource is not an object");
  auto& object = patched->get_object();
  for (const auto* member : {"name", "namespace"})
    if (text_in(object, member) != text_in(current, member))
      return fail(ErrorCode::invalid, fmt::format("a patch cannot change metadata.{}", member));
  return replace(type, object);
}

Result<> Objects::remove(const ResourceType& type, const std::string& ns, const std::string& name,
                         const std::string& revision) {
  MARGAY_CHECK(check_writable(type, {{"metadata", {{"name", name}, {"namespace", ns}}}}, "delete"));
  const auto expected = parse_revision(revision);
  if (!revision.empty() && !expected)
    return fail(told({ErrorCode::conflict, {}, {}}, type, ns, name));
  const auto removed = store_.remove(key_of(type, ns, name), expected);
  if (removed) return {};
  if (removed.error().code != ErrorCode::not_found)
    return fail(told(removed.error(), type, ns, name));
  // Of a derived object there is nothing to remove but what it stands for.
  MARGAY_CHECK(get(type, ns, name));
  return unsupported("Delete", identifier(type, ns, name));
}

}  // namespace margay::ctl
