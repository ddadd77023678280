#pragma once

// Packets of the model as bytes: the first packet of a flow, with checksums that connection
// tracking accepts (TCP SYN, SCTP INIT, ICMP of the given type), or the answer to one (SYN+ACK,
// INIT ACK), and an id at its end by which it is known again wherever it comes out.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/mac_address.h"
#include "policy/evaluate.h"

namespace margay::differential {

// `flow`: the id of the flow's first packet; another than `id` in an answer.
struct PacketId {
  uint32_t id;
  uint32_t flow = id;
};

// From its IP header on.
std::vector<uint8_t> make_datagram(const policy::Packet& packet, PacketId id);
std::vector<uint8_t> make_frame(const policy::Packet& packet, const net::MacAddress& source,
                                const net::MacAddress& destination, PacketId id);

// An Ethernet frame with an id that no protocol takes.
std::vector<uint8_t> make_marker(uint32_t id);

// Of a frame or datagram. Nothing when it is not one of ours.
std::optional<uint32_t> frame_id(std::span<const uint8_t> frame);

}  // namespace margay::differential
