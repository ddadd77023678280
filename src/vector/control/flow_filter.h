#pragma once

// Which packets or sessions somebody wants to see: by addresses.

#include <optional>
#include <span>

#include "base/address.h"

namespace margay::vector {

struct FlowFilter {
  std::optional<base::Prefix> from, to;

  // Addresses in network order, 4 or 16 bytes each.
  bool accepts(std::span<const uint8_t> source, std::span<const uint8_t> destination) const {
    return contains(from, source) && contains(to, destination);
  }
  bool is_open() const { return !from && !to; }

 private:
  static bool contains(const std::optional<base::Prefix>& net, std::span<const uint8_t> address) {
    if (!net) return true;
    const auto parsed = base::IPAddress::from_bytes(address);
    return parsed && net->contains(*parsed);
  }
};

// A packet's source and destination, wherever they are.
struct FrameAddresses {
  std::span<const uint8_t> source, destination;
};
// Of an Ethernet frame; nothing when it carries no IP.
std::optional<FrameAddresses> addresses_of(std::span<const uint8_t> frame);

}  // namespace margay::vector
