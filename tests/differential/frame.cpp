#include "differential/frame.h"

#include <algorithm>
#include <array>

namespace margay::differential {
namespace {

using Bytes = std::vector<uint8_t>;
using policy::Packet;

constexpr std::array<uint8_t, 4> k_magic{0x6d, 0x67, 0x79, 0x21};
constexpr size_t k_trailer = 8;  // magic, id

void put16(Bytes& out, size_t value) {
  out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
}

void put32(Bytes& out, uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}

void set16(Bytes& out, size_t at, uint16_t value) {
  out[at] = static_cast<uint8_t>(value >> 8);
  out[at + 1] = static_cast<uint8_t>(value);
}

void append(Bytes& out, std::span<const uint8_t> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// RFC 1071.
uint16_t internet_checksum(std::span<const uint8_t> bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) sum += uint32_t{bytes[i]} << (i % 2 == 0 ? 8 : 0);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

// RFC 9260, appendix A.
uint32_t crc32c(std::span<const uint8_t> bytes) {
  uint32_t crc = 0xffffffff;
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

void set_sctp_checksum(Bytes& segment) {
  const uint32_t crc = crc32c(segment);  // sent with its low byte first
  for (size_t i = 0; i < 4; ++i) segment[8 + i] = static_cast<uint8_t>(crc >> (8 * i));
}

// RFC 793, RFC 768 and RFC 8200, section 8.1: with the addresses in front.
void set_checksum(const Packet& packet, Bytes& segment, size_t at) {
  Bytes summed;
  if (packet.protocol != policy::k_icmp) {
    append(summed, packet.source.bytes());
    append(summed, packet.destination.bytes());
    put32(summed, static_cast<uint32_t>(segment.size()));
    put32(summed, packet.protocol);
  }
  append(summed, segment);
  const uint16_t sum = internet_checksum(summed);
  set16(segment, at, sum == 0 ? 0xffff : sum);
}

bool is_answer(PacketId id) { return id.id != id.flow; }

Bytes tcp_syn(const Packet& packet, PacketId id) {
  Bytes out;
  put16(out, packet.source_port);
  put16(out, packet.destination_port);
  put32(out, id.id);
  put32(out, is_answer(id) ? id.flow + 1 : 0);
  put16(out, 5 << 12 | (is_answer(id) ? 0x12 : 0x02));
  put16(out, 65535);
  put32(out, 0);
  return out;
}

// UDP, and UDPLite with full coverage (RFC 3828), whose length field may be the same.
Bytes udp(const Packet& packet) {
  Bytes out;
  put16(out, packet.source_port);
  put16(out, packet.destination_port);
  put16(out, 8 + k_trailer);
  put16(out, 0);
  return out;
}

uint32_t initiate_tag(uint32_t id) { return id | 1; }  // not 0

// INIT, or INIT ACK with the tag that the first asked for. The id trails in a parameter that the
// receiver is told to skip.
Bytes sctp_init(const Packet& packet, PacketId id) {
  Bytes out;
  put16(out, packet.source_port);
  put16(out, packet.destination_port);
  put32(out, is_answer(id) ? initiate_tag(id.flow) : 0);  // verification tag
  put32(out, 0);                                          // checksum
  put16(out, is_answer(id) ? 2 << 8 : 1 << 8);
  put16(out, 20 + 4 + k_trailer);
  put32(out, initiate_tag(id.id));
  put32(out, 65536);
  put16(out, 1);
  put16(out, 1);
  put32(out, id.id);
  put16(out, 0x8008);
  put16(out, 4 + k_trailer);
  return out;
}

Bytes icmp(const Packet& packet, PacketId id) {
  Bytes out{packet.icmp_type, packet.icmp_code, 0, 0};
  put16(out, id.flow & 0xffff);
  put16(out, id.flow >> 16);
  return out;
}

Bytes transport(const Packet& packet, PacketId id) {
  switch (packet.protocol) {
    case policy::k_tcp:
      return tcp_syn(packet, id);
    case policy::k_udp:
    case policy::k_udplite:
      return udp(packet);
    case policy::k_sctp:
      return sctp_init(packet, id);
    case policy::k_icmp:
    case policy::k_icmpv6:
      return icmp(packet, id);
    default:
      return {0, 0, 0x08, 0};  // GRE's header without options; enough for any other
  }
}

void finish_checksum(const Packet& packet, Bytes& segment) {
  switch (packet.protocol) {
    case policy::k_tcp:
      return set_checksum(packet, segment, 16);
    case policy::k_udp:
    case policy::k_udplite:
      return set_checksum(packet, segment, 6);
    case policy::k_sctp:
      return set_sctp_checksum(segment);
    case policy::k_icmp:
    case policy::k_icmpv6:
      return set_checksum(packet, segment, 2);
    default:
      return;
  }
}

Bytes ip_header(const Packet& packet, size_t length) {
  Bytes out;
  if (packet.source.is_v6()) {
    put32(out, 6U << 28);
    put16(out, length);
    put16(out, size_t{packet.protocol} << 8 | 64);
    append(out, packet.source.bytes());
    append(out, packet.destination.bytes());
    return out;
  }
  put16(out, 0x4500);
  put16(out, 20 + length);
  put32(out, 0);
  put16(out, 64 << 8 | packet.protocol);
  put16(out, 0);
  append(out, packet.source.bytes());
  append(out, packet.destination.bytes());
  set16(out, 10, internet_checksum(out));
  return out;
}

}  // namespace

Bytes make_datagram(const Packet& packet, PacketId id) {
  Bytes segment = transport(packet, id);
  append(segment, k_magic);
  put32(segment, id.id);
  finish_checksum(packet, segment);
  Bytes out = ip_header(packet, segment.size());
  append(out, segment);
  return out;
}

Bytes make_frame(const Packet& packet, const net::MacAddress& source,
                 const net::MacAddress& destination, PacketId id) {
  Bytes out;
  append(out, destination.bytes);
  append(out, source.bytes);
  put16(out, packet.source.is_v6() ? 0x86dd : 0x0800);
  append(out, make_datagram(packet, id));
  return out;
}

Bytes make_marker(uint32_t id) {
  Bytes out(12, 0xff);
  put16(out, 0x88b5);  // IEEE 802: for local experiments
  append(out, k_magic);
  put32(out, id);
  return out;
}

std::optional<uint32_t> frame_id(std::span<const uint8_t> frame) {
  if (frame.size() < k_trailer) return std::nullopt;
  const auto trailer = frame.last(k_trailer);
  if (!std::equal(k_magic.begin(), k_magic.end(), trailer.begin())) return std::nullopt;
  return uint32_t{trailer[4]} << 24 | uint32_t{trailer[5]} << 16 | uint32_t{trailer[6]} << 8 |
         trailer[7];
}

}  // namespace margay::differential
