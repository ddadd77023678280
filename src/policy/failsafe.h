#pragma once

// Ports of a host that no policy closes, so that nobody locks himself out: Felix's
// FailsafeInboundHostPorts and FailsafeOutboundHostPorts
// (https://projectcalico.docs.tigera.io/archive/v3.19/reference/host-endpoints/failsafe).

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/evaluate.h"

namespace margay::policy {

struct Failsafe {
  uint8_t protocol = k_tcp;
  std::optional<Prefix> net;  // the remote side's, and its family's only; unset: anybody, of both
  uint16_t port = 0;          // ours for what comes in, the remote side's for what goes out
  bool operator==(const Failsafe&) const = default;
};

struct Failsafes {
  std::vector<Failsafe> inbound;
  std::vector<Failsafe> outbound;
  bool operator==(const Failsafes&) const = default;
};

// Those of a node that sets none.
const Failsafes& default_failsafes();

// "tcp:22, udp:10.0.0.0/8:68, tcp:[2001:db8::/32]:22, 179" or "none". `invalid`, naming the entry.
base::Result<std::vector<Failsafe>> parse_failsafes(std::string_view text);

// Whether the host's own packet, on its way in or out, is one of a failsafe's, or of IPv6 neighbour
// discovery (RFC 4861): without that no failsafe would be reached.
bool is_failsafe(const Failsafes& failsafes, Direction direction, const Packet& packet);
// Whether it answers one that went the other way, as far as can be seen before tracking.
bool answers_failsafe(const Failsafes& failsafes, Direction direction, const Packet& packet);

}  // namespace margay::policy
