#include "vector/parse/rewrite.h"

#include "policy/protocol.h"
#include "vector/parse/crc32c.h"

namespace margay::vector {
namespace {

// Overwrites an even number of bytes, and adds to `delta` what that does to a sum over them.
void replace(uint8_t* at, const void* bytes, size_t count, ChecksumDelta& delta) {
  delta = delta + ChecksumDelta::of(at, bytes, count);
  std::memcpy(at, bytes, count);
}

void replace16(uint8_t* at, uint16_t value, ChecksumDelta& delta) {
  const uint16_t bytes = big_endian(value);
  replace(at, &bytes, sizeof bytes, delta);
}

// From the transport header to the packet's end.
size_t transport_bytes(const Parsed& parsed) {
  return size_t{parsed.l3_length} - (parsed.l4_offset - parsed.l3_offset);
}

// The family's own: the other one's number means nothing.
template <size_t Address>
inline constexpr uint8_t k_icmp_of = Address == 4 ? protocol::k_icmp : protocol::k_icmpv6;

// Over what the checksum in a transport header is, besides the header.
ChecksumDelta transport_delta(uint8_t proto, ChecksumDelta addresses, ChecksumDelta ports) {
  if (proto == protocol::k_icmp) return ports;  // no pseudo header
  return addresses + ports;
}

bool rewrite_sctp(uint8_t* l4, const Parsed& parsed, uint16_t source, uint16_t destination,
                  L4Checksum state) {
  std::array<uint8_t, 4> ports;
  store_be(ports.data(), source);
  store_be(ports.data() + 2, destination);
  const uint32_t difference = load<uint32_t>(l4) ^ load<uint32_t>(ports.data());
  if (difference == 0) return true;  // addresses do not count in it
  if (parsed.flags & k_fragment) return false;
  std::memcpy(l4, ports.data(), ports.size());
  if (state == L4Checksum::partial) return true;
  store(l4 + 8, load<uint32_t>(l4 + 8) ^ crc32c_of_first_word(difference, transport_bytes(parsed)));
  return true;
}

// Where a quoted transport header has its checksum; 0: it has none that is kept.
template <size_t Address>
size_t checksum_at(uint8_t proto) {
  if (proto == protocol::k_tcp) return 16;
  if (zero_means_none(proto)) return 6;
  return proto == k_icmp_of<Address> ? 2 : 0;
}

// The quoted transport header, as far as it is there. Returns how the bytes' sum has changed.
template <size_t Address>
ChecksumDelta rewrite_quoted_transport(const Rewrite<Address>& rewrite, uint8_t* packet,
                                       const Parsed& quote, ChecksumDelta addresses) {
  uint8_t* l4 = packet + quote.l4_offset;
  ChecksumDelta ports;
  if (policy::has_ports(quote.protocol)) {
    replace16(l4, rewrite.to.destination_port, ports);
    replace16(l4 + 2, rewrite.to.source_port, ports);
  } else if (quote.protocol == k_icmp_of<Address> &&
             icmp_has_identifier(quote.protocol, quote.icmp_type)) {
    replace16(l4 + 4, rewrite.to.source_port, ports);
  }
  const size_t field = checksum_at<Address>(quote.protocol);
  if (field == 0 || transport_bytes(quote) < field + 2) return ports;

  const auto before = load<uint16_t>(l4 + field);
  const auto delta = transport_delta(quote.protocol, addresses, ports);
  if (zero_means_none(quote.protocol)) {
    adjust_udp_checksum(l4 + field, delta);
  } else {
    adjust_checksum(l4 + field, delta);
  }
  return ports + ChecksumDelta::of16(before, load<uint16_t>(l4 + field));
}

}  // namespace

template <size_t Address>
Rewrite<Address> make_rewrite(uint8_t proto, const Ends<Address>& from, const Ends<Address>& to) {
  Rewrite<Address> made{.to = to};
  made.addresses = ChecksumDelta::of(from.source.data(), to.source.data(), Address) +
                   ChecksumDelta::of(from.destination.data(), to.destination.data(), Address);
  auto ports = ChecksumDelta::of16(big_endian(from.source_port), big_endian(to.source_port));
  if (proto != k_icmp_of<Address>) {  // an identifier is there once
    ports = ports +
            ChecksumDelta::of16(big_endian(from.destination_port), big_endian(to.destination_port));
  }
  made.transport = transport_delta(proto, made.addresses, ports);
  return made;
}

template <size_t Address>
bool rewrite_other_transport(uint8_t* l4, const Parsed& parsed, const Rewrite<Address>& rewrite,
                             L4Checksum state) {
  const auto& to = rewrite.to;
  if (parsed.protocol == protocol::k_sctp)
    return rewrite_sctp(l4, parsed, to.source_port, to.destination_port, state);
  if (parsed.protocol == protocol::k_udplite) {
    store_be(l4, to.source_port);
    store_be(l4 + 2, to.destination_port);
    adjust_udp_checksum(l4 + 6, rewrite.transport);
    return true;
  }
  if (parsed.protocol != k_icmp_of<Address>) return true;
  if (icmp_has_identifier(parsed.protocol, parsed.icmp_type)) store_be(l4 + 4, to.source_port);
  if (Address == 4 && !(parsed.flags & k_fragment)) {
    adjust_icmp_checksum(l4, transport_bytes(parsed), rewrite.transport);
  } else {
    adjust_checksum(l4 + 2, rewrite.transport);
  }
  return true;
}

template <size_t Address>
void apply_to_icmp_error(const Rewrite<Address>& rewrite, uint8_t* packet, const Parsed& error,
                         const Parsed& quote) {
  uint8_t* outer = packet + error.l3_offset + k_source_at<Address>;
  uint8_t* quoted = packet + quote.l3_offset + k_source_at<Address>;
  const auto& to = rewrite.to;

  const bool hidden = std::memcmp(quoted + Address, to.source.data(), Address) != 0;
  ChecksumDelta outer_addresses;
  if (hidden) replace(outer, to.source.data(), Address, outer_addresses);
  replace(outer + Address, to.destination.data(), Address, outer_addresses);

  ChecksumDelta quoted_addresses;
  replace(quoted, to.destination.data(), Address, quoted_addresses);
  replace(quoted + Address, to.source.data(), Address, quoted_addresses);
  auto message =
      quoted_addresses + rewrite_quoted_transport(rewrite, packet, quote, quoted_addresses);
  if constexpr (Address == 4) {
    adjust_checksum(packet + error.l3_offset + 10, outer_addresses);
    uint8_t* field = packet + quote.l3_offset + 10;
    const auto before = load<uint16_t>(field);
    adjust_checksum(field, quoted_addresses);
    message = message + ChecksumDelta::of16(before, load<uint16_t>(field));
  } else {
    message = message + outer_addresses;  // the pseudo header
  }
  adjust_checksum(packet + error.l4_offset + 2, message);
}

template Rewrite4 make_rewrite(uint8_t, const Ends4&, const Ends4&);
template Rewrite6 make_rewrite(uint8_t, const Ends6&, const Ends6&);
template bool rewrite_other_transport(uint8_t*, const Parsed&, const Rewrite4&, L4Checksum);
template bool rewrite_other_transport(uint8_t*, const Parsed&, const Rewrite6&, L4Checksum);
template void apply_to_icmp_error(const Rewrite4&, uint8_t*, const Parsed&, const Parsed&);
template void apply_to_icmp_error(const Rewrite6&, uint8_t*, const Parsed&, const Parsed&);

}  // namespace margay::vector
