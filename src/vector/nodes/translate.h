#pragma once

// What network address translation makes of a session's packets, from the session's record.

#include "vector/nodes/tuple.h"
#include "vector/parse/rewrite.h"
#include "vector/session/session.h"

namespace margay::vector {

template <typename Tuple>
inline constexpr size_t k_address_bytes = sizeof(Tuple::source);

template <typename Tuple>
Ends<k_address_bytes<Tuple>> ends_of(const Tuple& tuple) {
  Ends<k_address_bytes<Tuple>> ends;
  std::memcpy(ends.source.data(), &tuple.source, ends.source.size());
  std::memcpy(ends.destination.data(), &tuple.destination, ends.destination.size());
  ends.source_port = big_endian(tuple.source_port);
  ends.destination_port = big_endian(tuple.destination_port);
  return ends;
}

// Once the session has both tuples.
template <typename Tuple>
void set_checksum_deltas(Session<Tuple>& session) {
  const auto rewrite = make_rewrite(session.protocol, ends_of(session.tuple[0]),
                                    ends_of(reversed(session.tuple[1])));
  session.ip_checksum_delta = rewrite.addresses.value;
  session.l4_checksum_delta = rewrite.transport.value;
}

template <typename Tuple>
Rewrite<k_address_bytes<Tuple>> rewrite_of(const Session<Tuple>& session, FlowDirection direction) {
  const bool forward = direction == FlowDirection::forward;
  const ChecksumDelta ip{session.ip_checksum_delta}, l4{session.l4_checksum_delta};
  return {.to = ends_of(reversed(session.tuple[forward ? 1 : 0])),
          .addresses = forward ? ip : ~ip,
          .transport = forward ? l4 : ~l4};
}

}  // namespace margay::vector
