#include "base/printable.h"

#include <fmt/format.h>

#include <iterator>

namespace margay::base {
namespace {

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

// U+0080 to U+009f are C2 80 to C2 9f.
bool is_c1_control(std::string_view rest) {
  return rest.size() >= 2 && rest[0] == '\xc2' && static_cast<unsigned char>(rest[1]) >= 0x80 &&
         static_cast<unsigned char>(rest[1]) <= 0x9f;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c == '\n') {
      out += "\\n";
    } else if (is_control(c)) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", c);
    } else if (is_c1_control(text.substr(at))) {
      fmt::format_to(std::back_inserter(out), "\\u00{:02x}",
                     static_cast<unsigned char>(text[++at]));
    } else {
      out += text[at];
    }
  }
  return out;
}

}  // namespace margay::base
