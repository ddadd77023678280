#pragma once

// Columns that no JSON path gives: what kubectl's own printers work out from an object.

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <string_view>

#include "api/kind.h"

namespace margay::api {

using ComputeCell = json::value (*)(const json::object& object);

// Null when the column is not computed.
const ComputeCell* find_computed_column(const Kind& kind, std::string_view column);

// The value at ".spec.nodeName"; null when there is none.
json::value value_at(const json::object& object, std::string_view path);
json::value value_at(const json::value& value, std::string_view path);

}  // namespace margay::api
