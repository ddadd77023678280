#include "vector/testing/packet_builder.h"

#include <arpa/inet.h>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace margay::vector::testing {
namespace {

constexpr uint8_t k_icmp = 1, k_tcp = 6, k_udp = 17, k_icmpv6 = 58, k_sctp = 132, k_udplite = 136;

template <typename T>
uint8_t byte(T value) {
  return static_cast<uint8_t>(value & 0xff);
}

void put16(std::span<uint8_t> at, size_t offset, size_t value) {
  at[offset] = byte(value >> 8);
  at[offset + 1] = byte(value);
}

void put_address(int family, std::string_view text, uint8_t* at) {
  if (inet_pton(family, std::string(text).c_str(), at) != 1)
    throw std::invalid_argument("not an address: " + std::string(text));
}

uint64_t sum(std::span<const uint8_t> bytes) {
  uint64_t total = 0;
  for (size_t i = 0; i < bytes.size(); ++i) total += uint64_t{bytes[i]} << (i % 2 == 0 ? 8 : 0);
  return total;
}

uint16_t folded(uint64_t total) {
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return static_cast<uint16_t>(total);
}

// RFC 9260 appendix A, a bit at a time; the checksum field counts as zero.
uint32_t crc32c(std::span<const uint8_t> chunk) {
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < chunk.size(); ++i) {
    crc ^= i >= 8 && i < 12 ? 0 : chunk[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

std::optional<size_t> checksum_offset(uint8_t protocol) {
  switch (protocol) {
    case k_icmp:
    case k_icmpv6:
      return 2;
    case k_tcp:
      return 16;
    case k_udp:
    case k_udplite:
      return 6;
    default:
      return {};
  }
}

// What is summed besides the segment: addresses, protocol and length (RFC 9293 3.1, RFC 8200 8.1).
uint64_t pseudo_header(const uint8_t* network, bool ipv6, uint8_t protocol, size_t length) {
  if (protocol == k_icmp) return 0;
  const auto addresses = ipv6 ? std::span(network + 8, 32) : std::span(network + 12, 8);
  return sum(addresses) + protocol + length;
}

size_t covered(std::span<const uint8_t> segment, uint8_t protocol) {
  if (protocol != k_udplite || segment.size() < 8) return segment.size();
  const size_t coverage = size_t{segment[4]} << 8 | segment[5];
  return coverage == 0 ? segment.size() : std::min(coverage, segment.size());
}

}  // namespace

PacketBuilder& PacketBuilder::add(Kind kind, uint16_t number, Bytes bytes) {
  layers_.push_back({kind, number, std::move(bytes)});
  return *this;
}

PacketBuilder& PacketBuilder::ethernet(std::initializer_list<uint8_t> destination,
                                       std::initializer_list<uint8_t> source) {
  Bytes header(destination);
  header.insert(header.end(), source);
  header.resize(14);
  return add(Kind::ethernet, 0, header);
}

PacketBuilder& PacketBuilder::vlan(uint16_t id) {
  Bytes tag(4);
  put16(tag, 0, id);
  return add(Kind::vlan, 0x8100, tag);
}

PacketBuilder& PacketBuilder::ether_type(uint16_t type, std::span<const uint8_t> body) {
  return add(Kind::payload, type, Bytes(body.begin(), body.end()));
}

PacketBuilder& PacketBuilder::ipv4(std::string_view source, std::string_view destination) {
  Bytes header(20);
  header[0] = 0x45;
  header[6] = 0x40;
  header[8] = 64;
  header[9] = 59;
  put_address(AF_INET, source, &header[12]);
  put_address(AF_INET, destination, &header[16]);
  return add(Kind::ipv4, 0x0800, header);
}

PacketBuilder& PacketBuilder::ipv6(std::string_view source, std::string_view destination) {
  Bytes header(40);
  header[0] = 0x60;
  header[6] = 59;
  header[7] = 64;
  put_address(AF_INET6, source, &header[8]);
  put_address(AF_INET6, destination, &header[24]);
  return add(Kind::ipv6, 0x86dd, header);
}

PacketBuilder& PacketBuilder::ip(std::string_view source, std::string_view destination) {
  return source.contains(':') ? ipv6(source, destination) : ipv4(source, destination);
}

PacketBuilder::Layer& PacketBuilder::network() {
  for (size_t i = layers_.size(); i-- > 0;) {
    if (layers_[i].kind == Kind::ipv4 || layers_[i].kind == Kind::ipv6) return layers_[i];
  }
  throw std::logic_error("no IP header yet");
}

PacketBuilder& PacketBuilder::ttl(uint8_t hops) {
  auto& header = network();
  header.bytes[header.kind == Kind::ipv4 ? 8 : 7] = hops;
  return *this;
}

PacketBuilder& PacketBuilder::traffic_class(uint8_t value) {
  auto& header = network();
  if (header.kind == Kind::ipv4) {
    header.bytes[1] = value;
  } else {
    header.bytes[0] = byte(0x60 | value >> 4);
    header.bytes[1] = byte(value << 4);
  }
  return *this;
}

PacketBuilder& PacketBuilder::options(std::initializer_list<uint8_t> bytes) {
  auto& header = network().bytes;
  header.insert(header.end(), bytes);
  header.resize((header.size() + 3) / 4 * 4);
  header[0] = byte(0x40 | header.size() / 4);
  return *this;
}

PacketBuilder& PacketBuilder::fragment(uint16_t offset, bool more, uint32_t id) {
  if (network().kind == Kind::ipv4) {
    put16(network().bytes, 4, id);
    put16(network().bytes, 6, size_t{offset} / 8 | (more ? 0x2000u : 0u));
    return *this;
  }
  Bytes header(8);
  header[0] = 59;
  put16(header, 2, size_t{offset} / 8 << 3 | (more ? 1u : 0u));
  put16(header, 4, id >> 16);
  put16(header, 6, id);
  return add(Kind::extension, 44, header);
}

PacketBuilder& PacketBuilder::add_extension(uint8_t number, size_t bytes, uint8_t length_field) {
  Bytes header(bytes);
  header[0] = 59;
  header[1] = length_field;
  return add(Kind::extension, number, header);
}

PacketBuilder& PacketBuilder::hop_by_hop(uint8_t units) {
  add_extension(0, 8 * (size_t{units} + 1), units);
  layers_.back().bytes[2] = 1;  // PadN
  layers_.back().bytes[3] = 4;
  return *this;
}

PacketBuilder& PacketBuilder::destination_options(uint8_t units) {
  hop_by_hop(units);
  layers_.back().number = 60;
  return *this;
}

PacketBuilder& PacketBuilder::routing(uint8_t type, uint8_t segments_left, uint8_t units) {
  add_extension(43, 8 * (size_t{units} + 1), units);
  layers_.back().bytes[2] = type;
  layers_.back().bytes[3] = segments_left;
  return *this;
}

PacketBuilder& PacketBuilder::authentication(uint8_t units) {
  return add_extension(51, 4 * (size_t{units} + 2), units);
}

PacketBuilder& PacketBuilder::add_ports(uint8_t protocol, uint16_t source, uint16_t destination,
                                        size_t bytes) {
  Bytes header(bytes);
  put16(header, 0, source);
  put16(header, 2, destination);
  return add(Kind::transport, protocol, header);
}

PacketBuilder& PacketBuilder::tcp(uint16_t source, uint16_t destination, uint8_t flags) {
  add_ports(k_tcp, source, destination, 20);
  auto& header = layers_.back().bytes;
  header[7] = 1;  // sequence number
  header[12] = 5 << 4;
  header[13] = flags;
  header[14] = 0xff;  // window
  return *this;
}

PacketBuilder& PacketBuilder::udp(uint16_t source, uint16_t destination) {
  return add_ports(k_udp, source, destination, 8);
}

PacketBuilder& PacketBuilder::udplite(uint16_t source, uint16_t destination) {
  return add_ports(k_udplite, source, destination, 8);
}

PacketBuilder& PacketBuilder::sctp(uint16_t source, uint16_t destination) {
  add_ports(k_sctp, source, destination, 12);
  layers_.back().bytes[7] = 0x77;  // verification tag
  return *this;
}

PacketBuilder& PacketBuilder::icmp(uint8_t type, uint8_t code, uint32_t rest) {
  Bytes header{type, code, 0, 0, byte(rest >> 24), byte(rest >> 16), byte(rest >> 8), byte(rest)};
  return add(Kind::transport, k_icmp, header);
}

PacketBuilder& PacketBuilder::icmpv6(uint8_t type, uint8_t code, uint32_t rest) {
  icmp(type, code, rest);
  layers_.back().number = k_icmpv6;
  return *this;
}

PacketBuilder& PacketBuilder::echo(bool reply, uint16_t id, uint16_t sequence) {
  const uint32_t rest = uint32_t{id} << 16 | sequence;
  if (network().kind == Kind::ipv6) return icmpv6(reply ? 129 : 128, 0, rest);
  return icmp(reply ? 0 : 8, 0, rest);
}

PacketBuilder& PacketBuilder::protocol(uint8_t number) { return add(Kind::transport, number, {}); }

PacketBuilder& PacketBuilder::payload(std::span<const uint8_t> bytes) {
  return add(Kind::payload, 0, Bytes(bytes.begin(), bytes.end()));
}

PacketBuilder& PacketBuilder::payload(size_t bytes) {
  Bytes content(bytes);
  for (size_t i = 0; i < bytes; ++i) content[i] = byte(i);
  return payload(content);
}

PacketBuilder& PacketBuilder::version(uint8_t value) {
  return set8(0, byte(layers_.back().bytes[0] & 0x0f) | byte(value << 4));
}

PacketBuilder& PacketBuilder::header_length(uint8_t words) {
  if (layers_.back().kind == Kind::ipv4) return set8(0, byte(0x40 | words));
  return set8(12, byte(words << 4));
}

PacketBuilder& PacketBuilder::length(uint16_t value) {
  return set16(layers_.back().kind == Kind::ipv4 ? 2 : 4, value);
}

PacketBuilder& PacketBuilder::checksum(uint16_t value) {
  layers_.back().checksum = value;
  return *this;
}

PacketBuilder& PacketBuilder::wrong_checksum() {
  layers_.back().checksum_wrong = true;
  return *this;
}

PacketBuilder& PacketBuilder::set8(size_t offset, uint8_t value) {
  layers_.back().wrong.emplace_back(offset, value);
  return *this;
}

PacketBuilder& PacketBuilder::set16(size_t offset, uint16_t value) {
  return set8(offset, byte(value >> 8)).set8(offset + 1, byte(value));
}

PacketBuilder& PacketBuilder::truncate(size_t bytes) {
  truncate_ = bytes;
  return *this;
}

PacketBuilder& PacketBuilder::pad(size_t bytes) {
  pad_ = bytes;
  return *this;
}

// Next header, lengths, and then what is to be wrong.
void PacketBuilder::fill(const Layer& layer, std::span<uint8_t> at, const Layer* next) const {
  const bool announces = next && (next->number != 0 || next->kind != Kind::payload);
  if (layer.kind == Kind::ethernet && announces) put16(at, 12, next->number);
  if (layer.kind == Kind::vlan && announces) put16(at, 2, next->number);
  if (layer.kind == Kind::ipv4) {
    put16(at, 2, at.size());
    if (announces)
      at[9] = byte(next->number == 0x0800 ? 4 : next->number == 0x86dd ? 41 : next->number);
  }
  if (layer.kind == Kind::ipv6) {
    put16(at, 4, at.size() - 40);
    if (announces)
      at[6] = byte(next->number == 0x0800 ? 4 : next->number == 0x86dd ? 41 : next->number);
  }
  if (layer.kind == Kind::extension && announces) at[0] = byte(next->number);
  if (layer.kind == Kind::transport && layer.number == k_udp && !layer.bytes.empty())
    put16(at, 4, at.size());
  for (const auto& [offset, value] : layer.wrong) at[offset] = value;
}

void PacketBuilder::seal(const Layer& layer, std::span<uint8_t> at, const uint8_t* network,
                         bool network_is_ipv6) const {
  std::optional<size_t> field;
  if (layer.kind == Kind::ipv4) {
    field = 10;
    put16(at, 10, 0);
    put16(at, 10, static_cast<uint16_t>(~folded(sum(at.first(layer.bytes.size())))));
  } else if (layer.kind == Kind::transport && !layer.bytes.empty() && network) {
    const auto protocol = byte(layer.number);
    field = checksum_offset(protocol);
    if (protocol == k_sctp) {
      field = 8;
      const uint32_t crc = crc32c(at);
      for (size_t i = 0; i < 4; ++i) at[8 + i] = byte(crc >> 8 * i);
    } else if (field) {
      put16(at, *field, 0);
      const auto total = sum(at.first(covered(at, protocol))) +
                         pseudo_header(network, network_is_ipv6, protocol, at.size());
      const uint16_t value = static_cast<uint16_t>(~folded(total));
      const bool zero_means_none = protocol == k_udp || protocol == k_udplite;
      put16(at, *field, value == 0 && zero_means_none ? 0xffff : value);
    }
  }
  if (field && layer.checksum) put16(at, *field, *layer.checksum);
  if (field && layer.checksum_wrong) at[*field] ^= 0x40;
}

Bytes PacketBuilder::build() const {
  Bytes out;
  std::vector<size_t> starts;
  for (const auto& layer : layers_) {
    starts.push_back(out.size());
    out.insert(out.end(), layer.bytes.begin(), layer.bytes.end());
  }
  const std::span<uint8_t> all(out);
  for (size_t i = 0; i < layers_.size(); ++i)
    fill(layers_[i], all.subspan(starts[i]), i + 1 < layers_.size() ? &layers_[i + 1] : nullptr);
  for (size_t i = layers_.size(); i-- > 0;) {  // inner ones first: outer ones count them
    const uint8_t* network = nullptr;
    bool ipv6 = false;
    for (size_t j = 0; j < i; ++j) {
      if (layers_[j].kind != Kind::ipv4 && layers_[j].kind != Kind::ipv6) continue;
      network = out.data() + starts[j];
      ipv6 = layers_[j].kind == Kind::ipv6;
    }
    seal(layers_[i], all.subspan(starts[i]), network, ipv6);
  }
  if (truncate_) out.resize(std::min(out.size(), *truncate_));
  out.resize(out.size() + pad_);
  return out;
}

std::vector<Bytes> fragments(const Bytes& packet, size_t payload_bytes, uint32_t id) {
  const bool ipv6 = packet[0] >> 4 == 6;
  const size_t header_bytes = ipv6 ? 40 : 4 * size_t{packet[0] & 0x0fu};
  const auto payload = std::span(packet).subspan(header_bytes);
  std::vector<Bytes> out;
  for (size_t offset = 0; offset < payload.size(); offset += payload_bytes) {
    const auto part = payload.subspan(offset, std::min(payload_bytes, payload.size() - offset));
    const size_t more = offset + part.size() < payload.size();
    Bytes fragment(packet.begin(), packet.begin() + static_cast<ptrdiff_t>(header_bytes));
    if (ipv6) {
      const Bytes extension{fragment[6],       0,
                            byte(offset >> 8), byte(offset | more),
                            byte(id >> 24),    byte(id >> 16),
                            byte(id >> 8),     byte(id)};
      fragment[6] = 44;
      fragment.insert(fragment.end(), extension.begin(), extension.end());
      put16(fragment, 4, part.size() + 8);
    } else {
      put16(fragment, 2, header_bytes + part.size());
      put16(fragment, 4, id);
      put16(fragment, 6, offset / 8 | more << 13);
      put16(fragment, 10, 0);
      put16(fragment, 10, static_cast<uint16_t>(~folded(sum(fragment))));
    }
    fragment.insert(fragment.end(), part.begin(), part.end());
    out.push_back(std::move(fragment));
  }
  return out;
}

bool checksums_right(std::span<const uint8_t> packet, size_t l4_offset, uint8_t protocol) {
  const bool ipv6 = packet[0] >> 4 == 6;
  if (!ipv6 && folded(sum(packet.first(4 * size_t{packet[0] & 0x0fu}))) != 0xffff) return false;
  const auto segment = packet.subspan(l4_offset);
  if (protocol == k_sctp) {
    uint32_t stored = 0;
    for (size_t i = 4; i-- > 0;) stored = stored << 8 | segment[8 + i];
    return stored == crc32c(segment);
  }
  const auto field = checksum_offset(protocol);
  if (!field) return true;
  if (protocol == k_udp && segment[6] == 0 && segment[7] == 0) return true;
  return folded(sum(segment.first(covered(segment, protocol))) +
                pseudo_header(packet.data(), ipv6, protocol, segment.size())) == 0xffff;
}

}  // namespace margay::vector::testing
