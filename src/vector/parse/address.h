#pragma once

// Which addresses may be in a packet that is forwarded, whatever the network's plan.

#include <cstdint>

#include "vector/parse/bytes.h"

namespace margay::vector {

// 0/8, 127/8, multicast, 240/4 with broadcast (RFC 1122 3.2.1.3, RFC 6890): neither source nor
// destination. Host order.
inline bool ipv4_forbidden(uint32_t address) {
  const uint32_t top = address >> 24;
  return (top - 1 >= 223) | (top == 127);
}

inline bool ipv4_link_local(uint32_t address) { return address >> 16 == 0xa9fe; }  // RFC 3927

// ::, ::1, ::ffff:0:0/96 and multicast (RFC 4291 2.5.2, 2.5.3, 2.5.5.2, 2.7).
inline bool ipv6_forbidden(const uint8_t* address) {
  if (address[0] == 0xff) return true;
  if (load<uint64_t>(address) != 0) return false;
  const auto low = load_be<uint64_t>(address + 8);
  return low <= 1 || low >> 32 == 0xffff;
}

inline bool ipv6_link_local(const uint8_t* address) {  // RFC 4291 2.5.6
  return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

}  // namespace margay::vector
