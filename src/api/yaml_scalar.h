#pragma once

// What a plain (unquoted) YAML scalar means to Kubernetes' tools: the types of YAML 1.1 as Go's
// yaml.v2 resolves them, without y and n, and with timestamps as strings.

#include <boost/json/value.hpp>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace margay::api {

namespace json = boost::json;

// Infinities and NaN, which JSON has not, are an error.
base::Result<json::value> resolve_plain_scalar(std::string_view text);

// The character that the text begins with, if it stands in no YAML as itself: DEL and the C1
// controls, which readers of YAML refuse, U+0085, U+2028 and U+2029, which end a line for some
// (YAML 1.1, 4.2; Go's, which kubectl has) and for others do not (YAML 1.2, 5.4), the byte order
// mark and U+FFFE and U+FFFF. Unset: any other. The text is UTF-8.
std::optional<char32_t> special_character(std::string_view text);
// Whether it is one of those that some take for the end of a line.
inline bool is_disputed_break(char32_t c) { return c == 0x85 || c == 0x2028 || c == 0x2029; }

}  // namespace margay::api
