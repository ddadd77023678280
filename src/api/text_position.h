#pragma once

#include <string>
#include <string_view>

namespace margay::api {

// "line 3, column 5" of the byte at `offset`; both count from 1.
std::string text_position(std::string_view text, size_t offset);

}  // namespace margay::api
