#pragma once

// OpenAPI documents of all kinds, for kubectl's validation, explain, completion and apply: schemas
// with x-kubernetes-group-version-kind, merge strategies, and the paths with their verbs.
// Deterministic, and not cheap: make them once.

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace margay::api {

namespace json = boost::json;

// The document of /openapi/v2 (Swagger 2.0).
json::object openapi_v2();

// The group versions that have a document, as their paths: "api/v1", "apis/projectcalico.org/v3".
std::vector<std::string> openapi_v3_paths();

// The document of /openapi/v3/<path>; `not_found` for other paths.
base::Result<json::object> openapi_v3(std::string_view path);

// The index of /openapi/v3: for each path the URL, with a hash that changes with the document.
json::object openapi_v3_index();

}  // namespace margay::api
