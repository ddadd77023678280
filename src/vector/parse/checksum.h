#pragma once

// The Internet checksum: whole (RFC 1071) and by difference (RFC 1624).
//
// All values here are in the machine's byte order as loaded from the packet: ones-complement sums
// do not care which order it is (RFC 1071 section 2 (B)), so nothing is swapped. Pieces but the
// last have an even length.

#include <cstddef>
#include <cstdint>

#include "vector/parse/bytes.h"
#include "vector/parse/ip_protocol.h"

namespace margay::vector {

inline uint16_t fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// Adds bytes to an unfolded sum; good for 2^32 of them.
inline uint64_t ones_sum(const uint8_t* bytes, size_t count, uint64_t sum = 0) {
  for (; count >= 8; bytes += 8, count -= 8) {
    const auto word = load<uint64_t>(bytes);
    sum += (word & 0xffffffff) + (word >> 32);
  }
  if (count >= 4) sum += load<uint32_t>(bytes), bytes += 4, count -= 4;
  if (count >= 2) sum += load<uint16_t>(bytes), bytes += 2, count -= 2;
  if (count != 0) sum += big_endian(static_cast<uint16_t>(*bytes << 8));  // padded with a zero
  return sum;
}

inline uint16_t checksum(uint64_t sum) { return static_cast<uint16_t>(~fold(sum)); }

inline bool ipv4_checksum_right(const uint8_t* header, size_t header_bytes) {
  return fold(ones_sum(header, header_bytes)) == 0xffff;
}

// What counts besides the segment: addresses, protocol, length (RFC 9293 3.1, RFC 768, RFC 8200
// 8.1). `ip` is the IP header; nothing for ICMP over IPv4.
inline uint64_t pseudo_header_sum(const uint8_t* ip, uint8_t family, uint8_t proto, size_t length) {
  if (proto == protocol::k_icmp) return 0;
  const uint64_t words = big_endian(static_cast<uint32_t>(proto)) +
                         uint64_t{big_endian(static_cast<uint32_t>(length))};
  return family == 4 ? ones_sum(ip + 12, 8, words) : ones_sum(ip + 8, 32, words);
}

// A computed zero is sent as 0xffff where zero says "none" (RFC 768; RFC 3828 section 3.1).
inline bool zero_means_none(uint8_t proto) {
  return proto == protocol::k_udp || proto == protocol::k_udplite;
}

// The checksum of a whole TCP, UDP, ICMP or ICMPv6 segment, ready to be stored; its field in the
// segment is taken as zero if it is zero.
inline uint16_t transport_checksum(const uint8_t* ip, uint8_t family, uint8_t proto,
                                   const uint8_t* segment, size_t length) {
  const uint16_t value =
      checksum(ones_sum(segment, length, pseudo_header_sum(ip, family, proto, length)));
  return value == 0 && zero_means_none(proto) ? 0xffff : value;
}

// Whether a whole segment's checksum is right. UDP's "none" is (RFC 768; over IPv6 RFC 6935).
inline bool transport_checksum_right(const uint8_t* ip, uint8_t family, uint8_t proto,
                                     const uint8_t* segment, size_t length) {
  if (proto == protocol::k_udp && load<uint16_t>(segment + 6) == 0) return true;
  return fold(ones_sum(segment, length, pseudo_header_sum(ip, family, proto, length))) == 0xffff;
}

// How a sum changes when fields do: computed once for a flow, applied to each of its packets. The
// other direction's is the complement.
struct ChecksumDelta {
  uint16_t value = 0;

  // From the old to the new bytes; an even number of them, at an even offset in what is summed.
  static ChecksumDelta of(const void* before, const void* after, size_t bytes) {
    const auto* old_bytes = static_cast<const uint8_t*>(before);
    const auto* new_bytes = static_cast<const uint8_t*>(after);
    const auto removed = static_cast<uint16_t>(~fold(ones_sum(old_bytes, bytes)));
    return {fold(ones_sum(new_bytes, bytes, removed))};
  }
  static ChecksumDelta of16(uint16_t before, uint16_t after) {
    return {fold(uint64_t{static_cast<uint16_t>(~before)} + after)};
  }

  ChecksumDelta operator+(ChecksumDelta other) const {
    return {fold(uint64_t{value} + other.value)};
  }
  ChecksumDelta operator~() const { return {static_cast<uint16_t>(~value)}; }
};

// RFC 1624 equation 3: HC' = ~(~HC + ~m + m'). A header checksum that was right never becomes the
// other zero, 0xffff.
inline uint16_t adjusted(uint16_t check, ChecksumDelta delta) {
  const uint32_t sum = static_cast<uint16_t>(~check) + uint32_t{delta.value};
  return static_cast<uint16_t>(~((sum & 0xffff) + (sum >> 16)));
}

inline void adjust_checksum(uint8_t* field, ChecksumDelta delta) {
  store(field, adjusted(load<uint16_t>(field), delta));
}

// As above for a UDP checksum: none stays none, and one never becomes none.
inline void adjust_udp_checksum(uint8_t* field, ChecksumDelta delta) {
  const auto check = load<uint16_t>(field);
  if (check == 0) return;
  const uint16_t value = adjusted(check, delta);
  store(field, value == 0 ? uint16_t{0xffff} : value);
}

// As above for a whole ICMP message, which over IPv4 may become all zeroes: its checksum is then
// 0xffff and no other.
inline void adjust_icmp_checksum(uint8_t* message, size_t bytes, ChecksumDelta delta) {
  adjust_checksum(message + 2, delta);
  if (load<uint16_t>(message + 2) == 0 && ones_sum(message, bytes) == 0)
    store(message + 2, uint16_t{0xffff});
}

// A checksum that an offload is still to complete holds the pseudo header's sum, uncomplemented
// (virtio 1.2 section 5.1.6.2); only addresses count in it.
inline void adjust_partial_checksum(uint8_t* field, ChecksumDelta addresses) {
  store(field, fold(uint64_t{load<uint16_t>(field)} + addresses.value));
}

}  // namespace margay::vector
