#pragma once

// What a JSON value may be: the one description that defaulting, validation, unknown-field
// detection, OpenAPI, patching and the reference docs are made from. How a described object becomes
// a C++ struct is in api/describe.h, which also builds schemas.

#include <boost/json/object.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/report.h"

namespace margay::api {

struct Schema;

// How a strategic merge patch treats a field (Kubernetes' patchStrategy and patchMergeKey tags).
struct PatchStrategy {
  bool merge = false;        // lists are merged, not replaced
  bool retain_keys = false;  // keys that the patch does not list are cleared
  std::string merge_key;     // identifies an element of a list of objects
};

struct Field {
  std::string name;
  std::shared_ptr<const Schema> schema;
  std::string doc;
  bool is_required = false;
  bool is_immutable = false;
  bool is_beyond_v3_19 = false;  // of Calico, whose clients drop it (api/stored_form.h)
  std::optional<json::value> default_value;
  PatchStrategy patch;
};

// Immutable once built; safe from any thread.
struct Schema {
  enum class Type { any, object, map, list, string, integer, number, boolean, int_or_string };

  // Looks at a value that already has the described type.
  using Check = std::function<void(const json::value&, const Report&)>;
  using UpdateCheck =
      std::function<void(const json::value& before, const json::value& after, const Report&)>;
  // Rewrites a value of the described type, after defaulting, into the form that is stored.
  using Normalize = std::function<void(json::value&)>;

  Type type = Type::any;
  std::string name;  // of an object: its OpenAPI definition; empty: written in place
  std::string doc;
  std::string format;                   // OpenAPI's: int32, int64, double, byte, date-time
  std::vector<Field> fields;            // of an object
  std::shared_ptr<const Schema> items;  // of a list or map: each value
  bool nullable = false;
  // Of a string: "" is a value to be judged, where else it means "unset". In a map null stands for
  // it, as for Go's decoders: a selector must not select more for a value that is missing.
  bool keeps_empty = false;
  std::vector<std::string> supported_values;  // empty: any
  std::optional<int64_t> minimum;
  std::optional<int64_t> maximum;
  std::vector<Normalize> normalizers;
  std::vector<Check> checks;
  std::vector<UpdateCheck> update_checks;

  const Field* find(std::string_view field) const;  // null when an object has no such field
};

// Everything found while a value was made ready.
struct Findings {
  std::vector<base::FieldError> errors;
  std::vector<std::string> unknown_fields;  // paths, of the first ones
};

// Makes `value` what is stored: drops nulls, unknown fields and the empty strings of string fields,
// fills defaults in, normalises, then checks. "" for a number, a list, an object, a boolean or a
// port is an error. Returns whether the value (with all below it) has the described types.
bool prepare_value(const Schema& schema, json::value& value, const std::string& path,
                   Findings& findings);

// Reports every immutable field that differs, and runs the update checks. Both are prepared.
void compare_update(const Schema& schema, const json::value& before, const json::value& after,
                    const Report& report);

// "string", "integer", ... as messages and OpenAPI say it.
std::string_view to_string(Schema::Type type);

}  // namespace margay::api
