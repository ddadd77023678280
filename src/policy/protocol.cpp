#include "policy/protocol.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace margay::policy {
namespace {

constexpr std::pair<std::string_view, uint8_t> k_names[] = {
    {"tcp", k_tcp},   {"udp", k_udp},       {"icmp", k_icmp},
    {"sctp", k_sctp}, {"icmpv6", k_icmpv6}, {"udplite", k_udplite}};

bool is_same(std::string_view name, std::string_view lower) {
  return std::ranges::equal(
      name, lower, {}, [](unsigned char c) { return std::tolower(c); },
      [](unsigned char c) { return static_cast<int>(c); });
}

}  // namespace

std::string protocol_name(uint8_t protocol) {
  for (const auto& [name, number] : k_names)
    if (number == protocol) return std::string(name);
  return "protocol " + std::to_string(protocol);
}

std::optional<uint8_t> protocol_by_name(std::string_view name) {
  for (const auto& [known, number] : k_names)
    if (is_same(name, known)) return number;
  return std::nullopt;
}

}  // namespace margay::policy
