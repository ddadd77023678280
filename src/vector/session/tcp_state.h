#pragma once

// Follows a TCP connection's opening and closing by the flags of its packets (RFC 9293 section
// 3.3.2), as far as timeouts need it. Sequence numbers are not looked at.

#include "vector/session/session.h"

namespace margay::vector {

// RFC 9293 section 3.1.
enum TcpFlag : uint8_t { k_tcp_fin = 1, k_tcp_syn = 2, k_tcp_rst = 4, k_tcp_ack = 16 };

// A segment that opens a connection.
inline bool opens_connection(uint8_t flags) {
  return (flags & (k_tcp_fin | k_tcp_syn | k_tcp_rst | k_tcp_ack)) == k_tcp_syn;
}

inline uint8_t after_segment(uint8_t state, FlowDirection direction, uint8_t flags) {
  const bool forward = direction == FlowDirection::forward;
  if (flags & k_tcp_syn) state |= forward ? k_syn_forward : k_syn_reverse;
  if (flags & k_tcp_fin) state |= forward ? k_fin_forward : k_fin_reverse;
  if (flags & k_tcp_rst) state |= k_reset;
  constexpr uint8_t k_both = k_syn_forward | k_syn_reverse;
  if (forward && (flags & (k_tcp_syn | k_tcp_ack)) == k_tcp_ack && (state & k_both) == k_both)
    state |= k_established;
  return state;
}

// Whether a new connection may take the place of this one.
inline bool has_ended(uint8_t state) {
  constexpr uint8_t k_closed = k_fin_forward | k_fin_reverse;
  return (state & k_reset) || (state & k_closed) == k_closed;
}

}  // namespace margay::vector
