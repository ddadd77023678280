#include "vector/control/flow_filter.h"

#include "vector/parse/bytes.h"
#include "vector/parse/ethernet.h"

namespace margay::vector {

std::optional<FrameAddresses> addresses_of(std::span<const uint8_t> frame) {
  if (frame.size() < k_ethernet_header) return {};
  const auto type = EtherType{load_be<uint16_t>(frame.data() + 12)};
  const auto ip = frame.subspan(k_ethernet_header);
  if (type == EtherType::ipv4 && ip.size() >= 20)
    return FrameAddresses{ip.subspan(12, 4), ip.subspan(16, 4)};
  if (type == EtherType::ipv6 && ip.size() >= 40)
    return FrameAddresses{ip.subspan(8, 16), ip.subspan(24, 16)};
  return {};
}

}  // namespace margay::vector
