#pragma once

// Packets for tests, header by header:
//
//   PacketBuilder().ethernet().ipv4("10.0.0.1", "10.0.0.2").ttl(1).tcp(1234, 80, k_syn).build()
//
// Each header is announced by the one in front of it; lengths and checksums are right. What is to
// be wrong is said behind the header that it is in (`length`, `header_length`, `version`,
// `checksum`, `set8`...): such a field is written before checksums are made, so that only this one
// is wrong. Checksums are made by code of its own, not by what is under test. Numbers are in host
// order.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace margay::vector::testing {

using Bytes = std::vector<uint8_t>;

// TCP's flags, byte 13.
inline constexpr uint8_t k_fin = 0x01, k_syn = 0x02, k_rst = 0x04, k_psh = 0x08, k_ack = 0x10;

class PacketBuilder {
 public:
  PacketBuilder& ethernet(std::initializer_list<uint8_t> destination = {2, 0, 0, 0, 0, 1},
                          std::initializer_list<uint8_t> source = {2, 0, 0, 0, 0, 2});
  PacketBuilder& vlan(uint16_t id);
  // `body` is everything behind the Ethernet header.
  PacketBuilder& ether_type(uint16_t type, std::span<const uint8_t> body = {});

  // Don't fragment is set; TTL or hop limit is 64.
  PacketBuilder& ipv4(std::string_view source, std::string_view destination);
  PacketBuilder& ipv6(std::string_view source, std::string_view destination);
  PacketBuilder& ip(std::string_view source, std::string_view destination);  // by the text

  // Fields of the IP header just added.
  PacketBuilder& ttl(uint8_t hops);
  PacketBuilder& traffic_class(uint8_t value);
  PacketBuilder& options(std::initializer_list<uint8_t> bytes);  // IPv4; padded to whole words

  // IPv4: the header's fields, and no more "don't fragment". IPv6: adds a fragment header.
  // The offset is in bytes. Behind a later fragment comes `protocol(n)` and `payload(...)`.
  PacketBuilder& fragment(uint16_t offset, bool more, uint32_t id = 1);

  // IPv6 extension headers; `units` as in the header's length field.
  PacketBuilder& hop_by_hop(uint8_t units = 0);
  PacketBuilder& destination_options(uint8_t units = 0);
  PacketBuilder& routing(uint8_t type, uint8_t segments_left, uint8_t units = 2);
  PacketBuilder& authentication(uint8_t units = 4);

  PacketBuilder& tcp(uint16_t source, uint16_t destination, uint8_t flags = k_ack);
  PacketBuilder& udp(uint16_t source, uint16_t destination);
  PacketBuilder& udplite(uint16_t source, uint16_t destination);  // everything is covered
  PacketBuilder& sctp(uint16_t source, uint16_t destination);
  PacketBuilder& icmp(uint8_t type, uint8_t code, uint32_t rest = 0);  // `rest`: bytes 4 to 7
  PacketBuilder& icmpv6(uint8_t type, uint8_t code, uint32_t rest = 0);
  PacketBuilder& echo(bool reply, uint16_t id, uint16_t sequence = 1);  // of the IP header's family
  PacketBuilder& protocol(uint8_t number);  // no header; whatever follows is its content

  PacketBuilder& payload(std::span<const uint8_t> bytes);
  PacketBuilder& payload(size_t bytes);  // 0, 1, 2, ...

  // Wrong fields, in the header just added.
  PacketBuilder& version(uint8_t value);        // IP
  PacketBuilder& header_length(uint8_t words);  // IPv4, TCP
  PacketBuilder& length(uint16_t value);        // IPv4 total, IPv6 payload, UDP; UDPLite's coverage
  PacketBuilder& checksum(uint16_t value);
  PacketBuilder& wrong_checksum();
  PacketBuilder& set8(size_t offset, uint8_t value);
  PacketBuilder& set16(size_t offset, uint16_t value);

  // Of the whole: cut off behind so many bytes; zeroes that no length counts (Ethernet's padding).
  PacketBuilder& truncate(size_t bytes);
  PacketBuilder& pad(size_t bytes);

  Bytes build() const;

 private:
  enum class Kind : uint8_t { ethernet, vlan, ipv4, ipv6, extension, transport, payload };
  struct Layer {
    Kind kind;
    uint16_t number;  // how the header in front names this one; EtherType or IP protocol
    Bytes bytes;
    std::vector<std::pair<size_t, uint8_t>> wrong{};
    std::optional<uint16_t> checksum{};
    bool checksum_wrong = false;
  };

  PacketBuilder& add(Kind kind, uint16_t number, Bytes bytes);
  PacketBuilder& add_extension(uint8_t number, size_t bytes, uint8_t length_field);
  PacketBuilder& add_ports(uint8_t protocol, uint16_t source, uint16_t destination, size_t bytes);
  Layer& network();
  void fill(const Layer& layer, std::span<uint8_t> from_layer, const Layer* next) const;
  void seal(const Layer& layer, std::span<uint8_t> from_layer, const uint8_t* network,
            bool network_is_ipv6) const;

  std::vector<Layer> layers_;
  std::optional<size_t> truncate_;
  size_t pad_ = 0;
};

// An IP packet (no Ethernet header, no extension headers) in fragments of so many bytes of payload,
// a multiple of 8; in order.
std::vector<Bytes> fragments(const Bytes& packet, size_t payload_bytes, uint32_t id = 1);

// Every checksum of an IP packet that is no fragment: IPv4's header, and that of TCP, UDP (zero is
// none), UDPLite, SCTP, ICMP, ICMPv6. `l4_offset` is where the transport header starts.
bool checksums_right(std::span<const uint8_t> packet, size_t l4_offset, uint8_t protocol);

}  // namespace margay::vector::testing
