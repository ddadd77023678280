#pragma once

// Text <-> JSON <-> structs.

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace margay::api {

namespace json = boost::json;

// What an object may be, wherever it comes from and whoever reads it: one limit for all doors, so
// that what one part has written, every other can read.
inline constexpr size_t k_max_object_depth = 100;
inline constexpr size_t k_max_object_bytes = 3 << 20;  // of its JSON
// What lists, watch events and tables put around objects.
inline constexpr size_t k_max_envelope_depth = k_max_object_depth + 10;

// JSON text (RFC 8259). Errors say line and column. Duplicate keys, trailing text, text that is not
// UTF-8 and nesting beyond `max_depth` are errors.
base::Result<json::value> parse_json(std::string_view text, size_t max_depth = k_max_object_depth);
// The same judgement at a fraction of the cost, but that duplicate keys pass.
base::Result<> check_json(std::string_view text, size_t max_depth = k_max_object_depth);
// Whether an object that is about to be written can be read back by everybody: within the limits
// above, and text that parses. Otherwise `invalid`, saying what is wrong.
base::Result<> check_readable(std::string_view text);

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
