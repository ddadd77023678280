#pragma once

// An OpenAPI v2 document in the protobuf form that kubectl asks for
// (application/com.github.proto-openapi.spec.v2@v1.0+protobuf): messages and field numbers of
// gnostic's OpenAPIv2.proto, written by a table of them rather than by generated code.

#include <boost/json/object.hpp>
#include <string>

namespace margay::apiserver {

// Members that OpenAPI v2 does not define, and that are not vendor extensions ("x-..."), are left
// out.
std::string to_openapi_protobuf(const boost::json::object& document);

}  // namespace margay::apiserver
