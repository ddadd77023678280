#pragma once

// Which packets or sessions somebody wants to see: by addresses and a port.

#include <cstdint>
#include <optional>
#include <span>

#include "base/address.h"

namespace margay::vector {

struct Ports {
  uint16_t source = 0, destination = 0;
  bool operator==(const Ports&) const = default;
};

// Who sends to whom, wherever that is kept.
struct FlowEnds {
  std::span<const uint8_t> source, destination;  // network order, 4 or 16 bytes each
  std::optional<Ports> ports;                    // of protocols that have them
};

struct FlowFilter {
  std::optional<base::Prefix> from, to;
  std::optional<uint16_t> port;  // of either end

  bool accepts(const FlowEnds& ends) const {
    return contains(from, ends.source) && contains(to, ends.destination) && has_port(ends.ports);
  }
  bool is_open() const { return !from && !to && !port; }

 private:
  static bool contains(const std::optional<base::Prefix>& net, std::span<const uint8_t> address) {
    if (!net) return true;
    const auto parsed = base::IPAddress::from_bytes(address);
    return parsed && net->contains(*parsed);
  }
  bool has_port(const std::optional<Ports>& ports) const {
    return !port || (ports && (ports->source == *port || ports->destination == *port));
  }
};

struct FrameFlow {
  FlowEnds ends;
  uint8_t protocol = 0;
  bool is_later_fragment = false;      // which has no ports
  std::span<const uint8_t> transport;  // what follows the fixed header; empty if that was cut off
};
// Of an Ethernet frame; nothing when it carries no IP. Reads no more than the fixed headers: what
// lies behind extension headers has no ports.
std::optional<FrameFlow> flow_of(std::span<const uint8_t> frame);

}  // namespace margay::vector
