#pragma once

// The paths and verbs of the API, in OpenAPI's words.

#include "api/openapi_schema.h"

namespace margay::api {

// "/api/v1" or "/apis/<group>/<version>".
std::string api_root(const Kind& kind);

// The kind's paths: collection, object and status. `schemas` has defined the kind.
json::object openapi_paths(const Kind& kind, const OpenAPISchemas& schemas);

}  // namespace margay::api
