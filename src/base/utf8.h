#pragma once

// UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing beyond U+10FFFF.

#include <string>
#include <string_view>

namespace margay::base {

// The offset of the first byte that is no part of a well-formed character, or npos.
size_t find_malformed_utf8(std::string_view text, size_t from = 0);

inline bool is_utf8(std::string_view text) {
  return find_malformed_utf8(text) == std::string_view::npos;
}

// The text with U+FFFD for each such byte, as Go's JSON writes it.
std::string to_utf8(std::string_view text);

}  // namespace margay::base
