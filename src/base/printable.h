#pragma once

// What others wrote, where people read: in a log, on a terminal.

#include <string>
#include <string_view>

namespace margay::base {

// The text with every control character as an escape (\n, \x1b; the C1 controls of UTF-8 as
// \u0080 to \u009f), so that it stays one line and commands no terminal. All else is as it was.
std::string printable(std::string_view text);

}  // namespace margay::base
