#pragma once

// Packets of the model as Ethernet frames: the first packet of a flow, with checksums that
// connection tracking accepts (TCP SYN, SCTP INIT, ICMP of the given type), and an id at its end
// by which it is known again wherever it comes out.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/mac_address.h"
#include "policy/evaluate.h"

namespace margay::differential {

std::vector<uint8_t> make_frame(const policy::Packet& packet, const net::MacAddress& source,
                                const net::MacAddress& destination, uint32_t id);

// Nothing when the frame is not one of ours.
std::optional<uint32_t> frame_id(std::span<const uint8_t> frame);

}  // namespace margay::differential
