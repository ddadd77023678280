#pragma once

#include <string>
#include <string_view>

namespace margay::policy {

// The first `length` characters (at most 43) of the URL-safe base64 of the text's SHA-256: names
// that are short, stable across restarts, and collide with nothing.
std::string digest(std::string_view text, size_t length);

}  // namespace margay::policy
