#pragma once

// What the server makes up: unique identifiers and generated names. Safe from any thread.

#include <string>
#include <string_view>

namespace margay::apiserver {

// A random UUID (RFC 9562, version 4) in lower case.
std::string new_uid();

// `prefix`, cut so that the whole stays within a name's limits, and five random characters.
std::string generate_name(std::string_view prefix);

}  // namespace margay::apiserver
