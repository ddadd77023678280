#pragma once

// Text <-> JSON <-> structs.

#include <boost/json/value.hpp>
#include <cstdint>
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
// Of its values and keys together, which take up to 60 bytes each in the memory of whoever reads
// it, however few its bytes of text are.
inline constexpr size_t k_max_object_values = 1 << 18;

struct JsonLimits {
  size_t depth = k_max_object_depth;
  size_t values = k_max_object_values;
};
// Of what lists, watch events and tables put around objects.
inline constexpr JsonLimits k_envelope_limits{.depth = k_max_object_depth + 10, .values = SIZE_MAX};

// JSON text (RFC 8259). Errors say line and column. Duplicate keys, trailing text, text that is not
// UTF-8 and what is beyond the limits are errors.
base::Result<json::value> parse_json(std::string_view text, const JsonLimits& limits = {});
// The same judgement at a fraction of the cost, but that duplicate keys pass.
base::Result<> check_json(std::string_view text, const JsonLimits& limits = {});
// Whether an object that is about to be written can be read back by everybody: within the limits
// above, and text that parses. Otherwise `invalid`, saying what is wrong. One that is being deleted
// may be a little larger (what that writes to it), so that none is too large to go.
base::Result<> check_readable(std::string_view text, bool is_being_deleted = false);

// Whether a value that came in another form than JSON is within the limit on values and keys.
bool has_few_values(const json::value& value, size_t most = k_max_object_values);

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
