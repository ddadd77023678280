#include "apiserver/attributes.h"

#include <string_view>

#include "apiserver/list_options.h"

namespace margay::apiserver {
namespace {

std::string_view method_name(Method method) {
  switch (method) {
    case Method::get:
      return "get";
    case Method::post:
      return "post";
    case Method::put:
      return "put";
    case Method::patch:
      return "patch";
    case Method::remove:
      return "delete";
    case Method::other:
      break;
  }
  return "other";
}

std::string_view resource_verb(Method method, const ResourcePath& path, const Query& query) {
  const bool collection = path.name.empty();
  switch (method) {
    case Method::get:
      if (asks_to_watch(query)) return "watch";
      return collection ? "list" : "get";
    case Method::post:
      return "create";
    case Method::put:
      return "update";
    case Method::remove:
      return collection ? "deletecollection" : "delete";
    case Method::patch:
    case Method::other:
      break;
  }
  return method_name(method);
}

}  // namespace

Attributes attributes_of(Method method, const Target& target) {
  Attributes out{.verb = std::string(method_name(method)), .path = target.path};
  const auto path = parse_resource_path(target.path);
  if (!path) return out;
  out.verb = resource_verb(method, *path, target.query);
  out.is_resource = true;
  out.api_group = path->group;
  out.api_version = path->version;
  out.resource = path->resource;
  out.subresource = path->subresource;
  const bool is_namespace = path->group.empty() && path->resource == "namespaces";
  out.ns = is_namespace ? path->name : path->ns;
  out.name = path->name;
  return out;
}

}  // namespace margay::apiserver
