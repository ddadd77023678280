#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace margay::vector {

// "TCP", or the number of one without a name here.
std::string protocol_name(uint8_t number);

// What an Ethernet frame is, in a line: "TCP 10.65.0.1:4711 > 10.96.0.1:80 [S]", "ARP", ...
std::string frame_text(std::span<const uint8_t> head);

}  // namespace margay::vector
