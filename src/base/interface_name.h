#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace margay::base {

inline constexpr size_t k_longest_interface_name = 15;  // IFNAMSIZ less the closing NUL

// The characters of interface names in Calico's resources and settings. Linux allows more in a
// name; those left out mean something to iptables ('+', '!'), to paths or to a shell.
constexpr bool is_interface_name_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '.' || c == '-';
}

// Whether it may name one network interface in a resource or setting.
constexpr bool is_interface_name(std::string_view name) {
  return !name.empty() && name.size() <= k_longest_interface_name && name != "." && name != ".." &&
         name.front() != '-' && std::ranges::all_of(name, is_interface_name_character);
}

}  // namespace margay::base
