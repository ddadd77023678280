#pragma once

// IP protocols as policy speaks of them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/model.h"

namespace margay::policy {

// "tcp", "icmpv6", "protocol 47".
std::string protocol_name(uint8_t protocol);
// The number of a name in any case: "TCP", "UDPLite".
std::optional<uint8_t> protocol_by_name(std::string_view name);

// Whether its packets have ports.
constexpr bool has_ports(uint8_t protocol) {
  return protocol == k_tcp || protocol == k_udp || protocol == k_sctp || protocol == k_udplite;
}
// Whether rules can ask for its ports: Calico has no port rules for UDPLite.
constexpr bool takes_port_rules(uint8_t protocol) {
  return has_ports(protocol) && protocol != k_udplite;
}
constexpr bool is_icmp(uint8_t protocol) { return protocol == k_icmp || protocol == k_icmpv6; }

}  // namespace margay::policy
