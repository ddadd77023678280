#include "base/utf8.h"

#include <cstdint>

namespace margay::base {

size_t find_malformed_utf8(std::string_view text, size_t from) {
  for (size_t i = from; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || i + length > text.size()) return i;
    uint32_t point = length == 1 ? lead : lead & (0xffU >> (length + 1));
    for (size_t j = 1; j < length; ++j) {
      const auto next = static_cast<uint8_t>(text[i + j]);
      if ((next & 0xc0) != 0x80) return i;
      point = point << 6 | (next & 0x3f);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    if (overlong || surrogate || point > 0x10ffff) return i;
    i += length;
  }
  return std::string_view::npos;
}

std::string to_utf8(std::string_view text) {
  std::string out;
  for (size_t at = 0;;) {
    const auto bad = find_malformed_utf8(text, at);
    out += text.substr(at, bad - at);
    if (bad == std::string_view::npos) return out;
    out += "\xef\xbf\xbd";
    at = bad + 1;
  }
}

}  // namespace margay::base
