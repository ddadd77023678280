#include "header_chain.h"

#include <algorithm>

#include "vector/testing/packet_builder.h"

namespace margay::fuzz {
namespace {

using vector::testing::PacketBuilder;

// Few, so that fragments meet; those in the middle are mostly such as must be refused. What the
// others are in the graph: graph_world.h.
constexpr const char* k_addresses4[] = {"10.0.0.1",     "10.0.0.2",  "192.0.2.1", "169.254.1.1",
                                        "0.0.0.0",      "127.0.0.1", "224.0.0.1", "255.255.255.255",
                                        "10.0.0.3",     "10.96.0.1", "10.96.0.2", "172.18.0.1",
                                        "198.51.100.1", "10.9.0.1",  "10.0.0.1",  "10.0.0.2"};
constexpr const char* k_addresses6[] = {
    "fd00::1",       "fd00::2",         "2001:db8::1", "fe80::1", "::",      "::1",
    "ff02::1",       "::ffff:10.0.0.1", "fd00::3",     "fd96::1", "fd96::2", "fd00:172::1",
    "2001:db8:1::1", "fd09::1",         "fd00::1",     "fd00::2"};
constexpr int k_most_pieces = 16;

enum Piece : uint8_t {
  end,
  ttl,
  options,
  fragment,
  hop_by_hop,
  destination_options,
  routing,
  authentication,
  tcp,
  udp,
  udplite,
  sctp,
  icmp,
  icmpv6,
  protocol,
  payload,
  long_payload,
  field,
  length,
  wrong_checksum,
  checksum,
  truncate,
  pad,
  quote,
  data_offset,
  pieces,
};

void add_ip(PacketBuilder& builder, Cursor& cursor, bool v6) {
  const auto* addresses = v6 ? k_addresses6 : k_addresses4;
  const char* source = addresses[cursor.next() % 16];
  const char* destination = addresses[cursor.next() % 16];
  builder.ip(source, destination);
}

void add_options(PacketBuilder& builder, Cursor& cursor) {
  const uint8_t type = cursor.next(), bytes = cursor.next();
  builder.options({type, bytes, cursor.next(), cursor.next()});
}

void add_chain(PacketBuilder& builder, Cursor& cursor, bool v6, int depth);

void add_quote(PacketBuilder& builder, Cursor& cursor, bool v6, int depth) {
  PacketBuilder quoted;
  add_ip(quoted, cursor, v6);
  add_chain(quoted, cursor, v6, depth + 1);
  builder.payload(quoted.build());
}

// A header of at least 8 bytes; false: it is something else.
bool add_header(PacketBuilder& builder, Cursor& cursor, Piece piece, bool v6) {
  const auto a = cursor.next(), b = cursor.next();
  switch (piece) {
    case fragment:
      builder.fragment(static_cast<uint16_t>(a * 8), (b & 1) != 0, b >> 1 & 3);
      return v6;
    case hop_by_hop:
      builder.hop_by_hop(a % 3);
      return true;
    case destination_options:
      builder.destination_options(a % 3);
      return true;
    case routing:
      builder.routing(a % 5, b % 2, cursor.next() % 4);
      return true;
    case authentication:
      builder.authentication(a % 6);
      return true;
    case tcp:
      builder.tcp(a, b, cursor.next());
      return true;
    case udp:
      builder.udp(a, b);
      return true;
    case udplite:
      builder.udplite(a, b);
      return true;
    case sctp:
      builder.sctp(a, b);
      return true;
    case icmp:
      builder.icmp(a, b, cursor.next16());
      return true;
    case icmpv6:
      builder.icmpv6(a, b, uint32_t{cursor.next16()} << 16);
      return true;
    default:
      return false;
  }
}

// Something wrong in the header just added.
bool add_fault(PacketBuilder& builder, Cursor& cursor, Piece piece, Piece header) {
  switch (piece) {
    case field: {
      const size_t offset = cursor.next() % 8;
      builder.set8(offset, cursor.next());
      return true;
    }
    case length:
      builder.length(cursor.next16());
      return true;
    case wrong_checksum:
      builder.wrong_checksum();
      return true;
    case checksum:
      builder.checksum(cursor.next16());
      return true;
    case data_offset:
      if (header == tcp) builder.header_length(cursor.next() % 16);
      return true;
    default:
      return false;
  }
}

void add_chain(PacketBuilder& builder, Cursor& cursor, bool v6, int depth) {
  bool behind_header = true;  // the IP header
  auto header = end;
  for (int i = 0; i < k_most_pieces; ++i) {
    const auto piece = static_cast<Piece>(cursor.next() % pieces);
    if (piece == end) return;
    if (behind_header && add_fault(builder, cursor, piece, header)) continue;
    if (piece == ttl) {
      builder.ttl(cursor.next());
    } else if (piece == options) {
      if (!v6) add_options(builder, cursor);
    } else if (piece == protocol) {
      builder.protocol(cursor.next());
      behind_header = false;
    } else if (piece == payload || piece == long_payload) {
      const size_t bytes = piece == payload ? cursor.next() : cursor.next16() % 2000u;
      builder.payload(bytes);
      behind_header = false;
    } else if (piece == truncate) {
      builder.truncate(cursor.next16() % 2048);
    } else if (piece == pad) {
      builder.pad(cursor.next() % 32);
    } else if (piece == quote && depth == 0) {
      add_quote(builder, cursor, v6, depth);
      behind_header = false;
    } else if (add_header(builder, cursor, piece, v6)) {
      behind_header = true;
      header = piece;
    }
  }
}

}  // namespace

uint8_t Cursor::next() {
  if (bytes_.empty()) return 0;
  const uint8_t value = bytes_.front();
  bytes_ = bytes_.subspan(1);
  return value;
}

uint16_t Cursor::next16() {
  const uint8_t high = next();
  return static_cast<uint16_t>(high << 8 | next());
}

std::span<const uint8_t> Cursor::take(size_t count) {
  const auto taken = bytes_.first(std::min(count, bytes_.size()));
  bytes_ = bytes_.subspan(taken.size());
  return taken;
}

Packet next_packet(Cursor& cursor) {
  const uint8_t shape = cursor.next();
  const bool structured = shape & 1, ethernet = shape & 2, v6 = shape & 4;
  Packet packet;
  packet.l3_offset = ethernet ? 14 : 0;
  packet.family = v6 ? 6 : 4;
  packet.after_ms = static_cast<uint16_t>((shape >> 3) * (shape >> 3));
  if (structured) {
    PacketBuilder builder;
    if (ethernet) builder.ethernet();
    add_ip(builder, cursor, v6);
    add_chain(builder, cursor, v6, 0);
    packet.bytes = builder.build();
  } else {
    const auto bytes = cursor.take(cursor.next16());
    packet.bytes.assign(bytes.begin(), bytes.end());
  }
  packet.bytes.shrink_to_fit();
  return packet;
}

}  // namespace margay::fuzz
