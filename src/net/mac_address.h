#pragma once

// An Ethernet address (EUI-48).

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace margay::net {

struct MacAddress {
  std::array<uint8_t, 6> bytes{};

  // "0a:58:c0:a8:00:01", six pairs of hex digits with colons.
  static base::Result<MacAddress> parse(std::string_view text);
  std::string to_string() const;
  // One interface's, which a neighbour can have: no group's, and not zero.
  bool is_unicast() const { return (bytes[0] & 1) == 0 && bytes != decltype(bytes){}; }

  auto operator<=>(const MacAddress&) const = default;
};

}  // namespace margay::net
