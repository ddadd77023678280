#pragma once

// A packet's flow, as sessions know it.

#include <cstring>

#include "vector/packet.h"
#include "vector/parse/bytes.h"
#include "vector/parse/ip_protocol.h"
#include "vector/session/session.h"

namespace margay::vector {

// Of the IP header at `ip`, with the ports that parsing found.
template <typename Tuple>
Tuple tuple_of(const uint8_t* ip, const Parsed& parsed) {
  constexpr size_t k_addresses = sizeof(Tuple::source) == 4 ? 12 : 8;  // RFC 791 3.1, RFC 8200 3
  Tuple tuple;
  std::memcpy(&tuple.source, ip + k_addresses, 2 * sizeof(Tuple::source));
  tuple.source_port = big_endian(parsed.source_port);
  tuple.destination_port = big_endian(parsed.destination_port);
  return tuple;
}
template <typename Tuple>
Tuple tuple_of(rte_mbuf* packet) {
  const Parsed& parsed = meta(packet).parsed;
  return tuple_of<Tuple>(bytes(packet) + parsed.l3_offset, parsed);
}

inline void set_hash(PacketMeta& packet, uint64_t hash) {
  packet.hash_low = static_cast<uint32_t>(hash);
  packet.hash_high = static_cast<uint16_t>(hash >> 48);
}

}  // namespace margay::vector
