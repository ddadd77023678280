#include "vector/control/flow_filter.h"

#include "policy/protocol.h"
#include "vector/parse/bytes.h"
#include "vector/parse/ethernet.h"

namespace margay::vector {
namespace {

std::optional<FrameFlow> without_ports(EtherType type, std::span<const uint8_t> ip) {
  const auto behind = [&](size_t header) {
    return ip.size() > header ? ip.subspan(header) : std::span<const uint8_t>{};
  };
  if (type == EtherType::ipv4 && ip.size() >= 20)
    return FrameFlow{.ends = {ip.subspan(12, 4), ip.subspan(16, 4), {}},
                     .protocol = ip[9],
                     .is_later_fragment = (load_be<uint16_t>(ip.data() + 6) & 0x1fff) != 0,
                     .transport = behind(size_t{ip[0] & 15U} * 4)};
  if (type == EtherType::ipv6 && ip.size() >= 40)
    return FrameFlow{.ends = {ip.subspan(8, 16), ip.subspan(24, 16), {}},
                     .protocol = ip[6],
                     .transport = behind(40)};
  return {};
}

}  // namespace

std::optional<FrameFlow> flow_of(std::span<const uint8_t> frame) {
  if (frame.size() < k_ethernet_header) return {};
  const auto type = EtherType{load_be<uint16_t>(frame.data() + 12)};
  auto flow = without_ports(type, frame.subspan(k_ethernet_header));
  if (flow && policy::has_ports(flow->protocol) && !flow->is_later_fragment &&
      flow->transport.size() >= 4) {
    const uint8_t* transport = flow->transport.data();
    flow->ends.ports = {load_be<uint16_t>(transport), load_be<uint16_t>(transport + 2)};
  }
  return flow;
}

}  // namespace margay::vector
