#pragma once

// Text <-> JSON <-> structs.

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace margay::api {

namespace json = boost::json;

// JSON text. Errors say line and column. Duplicate keys, trailing text and nesting beyond 100 are
// errors.
base::Result<json::value> parse_json(std::string_view text);

// All documents of a YAML stream (JSON is YAML too), with YAML 1.1 scalars as Kubernetes reads
// them ("yes" is a string only when quoted). Empty documents are left out; a `List` is one
// document. Errors say line and column.
base::Result<std::vector<json::value>> parse_yaml(std::string_view text);

std::string to_json(const json::value& value);
std::string to_yaml(const json::value& value);

// A struct of api/calico.h or api/kubernetes.h from its JSON. Fields the struct does not have are
// ignored (the schema is the place that judges them); a field of the wrong type is an `invalid`
// error with its path. Explicitly instantiated for those structs, in the file that describes them.
template <typename T>
base::Result<T> decode(const json::value& value);

// The JSON of a struct: apiVersion and kind first, empty fields left out.
template <typename T>
json::object encode(const T& object);

}  // namespace margay::api
