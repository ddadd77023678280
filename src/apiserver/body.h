#pragma once

// Reading the body of a request as one JSON object.

#include <boost/json/object.hpp>

#include "apiserver/http_message.h"
#include "apiserver/status.h"

namespace margay::apiserver {

// JSON, YAML or protobuf by Content-Type, exactly one object. Malformed: a 400 with
// line and column.
Answer<json::object> parse_body(const Request& request);

// The body of a PATCH: JSON of any type.
Answer<json::value> parse_patch(std::string_view text);

}  // namespace margay::apiserver
