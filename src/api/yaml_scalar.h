#pragma once

// What a plain (unquoted) YAML scalar means to Kubernetes' tools: the types of YAML 1.1 as Go's
// yaml.v2 resolves them, without y and n, and with timestamps as strings.

#include <boost/json/value.hpp>
#include <string_view>

#include "base/result.h"

namespace margay::api {

namespace json = boost::json;

// Infinities and NaN, which JSON has not, are an error.
base::Result<json::value> resolve_plain_scalar(std::string_view text);

}  // namespace margay::api
