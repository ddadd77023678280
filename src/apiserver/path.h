#pragma once

// What a request is about, read from its URL. The forms are those of the Kubernetes API
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris).

#include <optional>
#include <string>
#include <string_view>

#include "apiserver/http_message.h"
#include "apiserver/status.h"

namespace margay::apiserver {

struct Target {
  std::string path;  // decoded, with the leading slash
  Query query;
};

// Splits and decodes a target in origin form, or in absolute form, whose authority counts for
// nothing here (RFC 9112, 3.2). A malformed one is a 400.
Answer<Target> parse_target(std::string_view target);

// /api/v1/... and /apis/<group>/<version>/...
struct ResourcePath {
  std::string group;  // empty: core
  std::string version;
  std::string ns;           // empty: cluster-scoped, or every namespace
  std::string resource;     // plural
  std::string name;         // empty: the collection
  std::string subresource;  // "status"
  bool operator==(const ResourcePath&) const = default;
};

// Nothing when the path is none of a resource.
std::optional<ResourcePath> parse_resource_path(std::string_view path);

}  // namespace margay::apiserver
