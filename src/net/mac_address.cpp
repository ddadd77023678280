#include "net/mac_address.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

namespace margay::net {

base::Result<MacAddress> MacAddress::parse(std::string_view text) {
  MacAddress mac;
  bool good = text.size() == 17;
  for (size_t i = 0; good && i < 6; ++i) {
    const char* pair = text.data() + 3 * i;
    const auto [end, error] = std::from_chars(pair, pair + 2, mac.bytes[i], 16);
    good = error == std::errc{} && end == pair + 2 && (i == 5 || pair[2] == ':');
  }
  if (!good) {
    return base::fail(base::ErrorCode::invalid, fmt::format("\"{}\" is not a MAC address", text));
  }
  return mac;
}

std::string MacAddress::to_string() const { return fmt::format("{:02x}", fmt::join(bytes, ":")); }

}  // namespace margay::net
