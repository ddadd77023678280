#include "apiserver/discovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <functional>
#include <map>
#include <vector>

#include "api/kind.h"
#include "apiserver/negotiate.h"
#include "apiserver/reviews.h"

namespace margay::apiserver {
namespace {

namespace json = boost::json;

constexpr std::string_view k_kubernetes_minor = "30";

json::array strings(const std::vector<std::string>& values) {
  json::array out;
  for (const auto& value : values) out.push_back(json::string(value));
  return out;
}

// A kind with what may be done with it.
struct Served {
  const api::Kind* kind;
  bool is_kept;  // else it is only asked, as reviews are
  json::array verbs() const {
    if (!is_kept) return {"create"};
    if (kind->resource() == "namespaces")
      return {"create", "delete", "get", "list", "patch", "update", "watch"};
    return {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
  }
};
json::array status_verbs() { return {"get", "patch", "update"}; }

std::vector<Served> all_served() {
  std::vector<Served> out;
  for (const auto& kind : api::kinds()) out.push_back({&kind, true});
  for (const auto& kind : review_kinds()) out.push_back({&kind, false});
  return out;
}

const std::vector<Served>& served() {
  static const auto all = all_served();
  return all;
}

// The versions of a group, in the order of their first kind. Empty: no such group.
std::vector<std::string> versions_of(std::string_view group) {
  std::vector<std::string> out;
  for (const auto& [kind, kept] : served())
    if (kind->group == group && std::ranges::find(out, kind->version) == out.end())
      out.push_back(kind->version);
  return out;
}

// Every named group, Kubernetes' own first, else in the order of their first kind. kubectl takes a
// name that several groups have (networkpolicies) for that of the first.
std::vector<std::string> named_groups() {
  std::vector<std::string> out;
  for (const auto& [kind, kept] : served())
    if (!kind->group.empty() && std::ranges::find(out, kind->group) == out.end())
      out.push_back(kind->group);
  std::ranges::stable_partition(
      out, [](const std::string& group) { return group.ends_with(".k8s.io"); });
  return out;
}

// ---- lists by version
// ----------------------------------------------------------------------------

json::object resource_entry(const Served& served) {
  const auto& kind = *served.kind;
  json::object out{{"name", kind.plural},
                   {"singularName", kind.singular},
                   {"namespaced", kind.namespaced},
                   {"kind", kind.name},
                   {"verbs", served.verbs()}};
  if (!kind.short_names.empty()) out["shortNames"] = strings(kind.short_names);
  if (!kind.categories.empty()) out["categories"] = strings(kind.categories);
  return out;
}

json::object status_entry(const api::Kind& kind) {
  return {{"name", kind.plural + "/status"},
          {"singularName", ""},
          {"namespaced", kind.namespaced},
          {"kind", kind.name},
          {"verbs", status_verbs()}};
}

std::optional<json::object> resource_list(std::string_view group, std::string_view version) {
  json::array resources;
  std::string api_version;
  for (const auto& one : served()) {
    const auto& kind = *one.kind;
    if (kind.group != group || kind.version != version) continue;
    api_version = kind.api_version();
    resources.push_back(resource_entry(one));
    if (kind.has_status) resources.push_back(status_entry(kind));
  }
  if (resources.empty()) return std::nullopt;
  return json::object{{"kind", "APIResourceList"},
                      {"apiVersion", "v1"},
                      {"groupVersion", api_version},
                      {"resources", std::move(resources)}};
}

json::object group_entry(const std::string& group) {
  json::array versions;
  for (const auto& version : versions_of(group))
    versions.push_back(
        json::object{{"groupVersion", fmt::format("{}/{}", group, version)}, {"version", version}});
  auto preferred = versions.front();
  return {{"name", group},
          {"versions", std::move(versions)},
          {"preferredVersion", std::move(preferred)}};
}

json::object group_list() {
  json::array groups;
  for (const auto& group : named_groups()) groups.push_back(group_entry(group));
  return {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", std::move(groups)}};
}

json::object core_versions() {
  return {{"kind", "APIVersions"},
          {"versions", strings(versions_of(""))},
          {"serverAddressByClientCIDRs", json::array{}}};
}

// ---- aggregated
// ------------------------------------------------------------------------------------

json::object response_kind(const api::Kind& kind) {
  return {{"group", kind.group}, {"version", kind.version}, {"kind", kind.name}};
}

json::object aggregated_resource(const Served& served) {
  const auto& kind = *served.kind;
  json::object out{{"resource", kind.plural},
                   {"responseKind", response_kind(kind)},
                   {"scope", kind.namespaced ? "Namespaced" : "Cluster"},
                   {"singularResource", kind.singular},
                   {"verbs", served.verbs()}};
  if (!kind.short_names.empty()) out["shortNames"] = strings(kind.short_names);
  if (!kind.categories.empty()) out["categories"] = strings(kind.categories);
  if (kind.has_status)
    out["subresources"] = json::array{json::object{{"subresource", "status"},
                                                   {"responseKind", response_kind(kind)},
                                                   {"verbs", status_verbs()}}};
  return out;
}

json::object aggregated_group(const std::string& group) {
  json::array versions;
  for (const auto& version : versions_of(group)) {
    json::array resources;
    for (const auto& one : served())
      if (one.kind->group == group && one.kind->version == version)
        resources.push_back(aggregated_resource(one));
    versions.push_back(json::object{
        {"version", version}, {"resources", std::move(resources)}, {"freshness", "Current"}});
  }
  json::object metadata;
  if (!group.empty()) metadata["name"] = group;
  return {{"metadata", std::move(metadata)}, {"versions", std::move(versions)}};
}

json::object aggregated(bool core, std::string_view version) {
  json::array items;
  if (core) {
    items.push_back(aggregated_group(""));
  } else {
    for (const auto& group : named_groups()) items.push_back(aggregated_group(group));
  }
  return {{"kind", "APIGroupDiscoveryList"},
          {"apiVersion", fmt::format("apidiscovery.k8s.io/{}", version)},
          {"metadata", json::object{}},
          {"items", std::move(items)}};
}

// The version of the aggregated form that the client prefers over the plain one.
std::optional<std::string> aggregated_version(std::string_view accept) {
  for (const auto& range : parse_accept(accept)) {
    const auto as = range.parameter("as");
    if (as.empty()) return std::nullopt;
    const auto version = range.parameter("v");
    if (as == "APIGroupDiscoveryList" && range.parameter("g") == "apidiscovery.k8s.io" &&
        (version == "v2" || version == "v2beta1"))
      return std::string(version);
  }
  return std::nullopt;
}

// kubectl's validation asks whether a kind it does not find is a custom resource. There are none.
json::object custom_resource_definitions() {
  return {{"kind", "CustomResourceDefinitionList"},
          {"apiVersion", "apiextensions.k8s.io/v1"},
          {"metadata", {{"resourceVersion", "1"}}},
          {"items", json::array{}}};
}

std::optional<json::object> plain_document(std::string_view path) {
  if (path == "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    return custom_resource_definitions();
  if (path == "/api") return core_versions();
  if (path == "/apis") return group_list();
  if (path.starts_with("/api/")) return resource_list("", path.substr(5));
  if (!path.starts_with("/apis/")) return std::nullopt;
  path.remove_prefix(6);
  const auto slash = path.find('/');
  if (slash != std::string_view::npos)
    return resource_list(path.substr(0, slash), path.substr(slash + 1));
  if (path.empty() || versions_of(path).empty()) return std::nullopt;
  auto out = group_entry(std::string(path));
  out["kind"] = "APIGroup";
  out["apiVersion"] = "v1";
  return out;
}

}  // namespace

std::string version_json() {
  return json::serialize(json::object{
      {"major", "1"},
      {"minor", k_kubernetes_minor},
      {"gitVersion", fmt::format("v1.{}.0+margay-{}", k_kubernetes_minor, MARGAY_VERSION)},
      {"compiler", fmt::format("g++ {}", __VERSION__)},
      {"platform", "linux/amd64"}});
}

std::optional<Response> discover(std::string_view path, std::string_view accept) {
  if (path == "/api" || path == "/apis") {
    if (const auto version = aggregated_version(accept))
      return Response{
          .content_type = fmt::format(
              "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList", *version),
          .headers = {{"Vary", "Accept"}},
          .body = json::serialize(aggregated(path == "/api", *version))};
  }
  const auto document = plain_document(path);
  if (!document) return std::nullopt;
  return Response{.headers = {{"Vary", "Accept"}}, .body = json::serialize(*document)};
}

}  // namespace margay::apiserver
