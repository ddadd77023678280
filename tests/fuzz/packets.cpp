// What must hold for any bytes that come as a packet (libFuzzer).

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "header_chain.h"
#include "vector/parse/checksum.h"
#include "vector/parse/ethernet.h"
#include "vector/parse/icmp_build.h"
#include "vector/parse/neighbour.h"
#include "vector/parse/parse.h"
#include "vector/parse/parse_fast.h"
#include "vector/parse/reassembly.h"
#include "vector/parse/rewrite.h"
#include "vector/testing/packet_builder.h"

namespace margay::fuzz {
namespace {

using namespace vector;
using testing::Bytes;
using testing::checksums_right;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

std::span<const uint8_t> ip_packet(const Bytes& packet, const Parsed& parsed) {
  return std::span(packet).subspan(parsed.l3_offset, parsed.l3_length);
}

bool right(const Bytes& packet, const Parsed& parsed) {
  // ICMP of the other family is a protocol that has no checksum we know of.
  const uint8_t foreign = parsed.family == 4 ? protocol::k_icmpv6 : protocol::k_icmp;
  return checksums_right(ip_packet(packet, parsed), parsed.l4_offset - size_t{parsed.l3_offset},
                         parsed.protocol == foreign ? protocol::k_none : parsed.protocol);
}

Parsed reparsed(const Bytes& packet, const Parsed& like) {
  Parsed out;
  require(parse(packet, like.l3_offset, like.family, out) == DropReason::none,
          "what was accepted is accepted after it was changed");
  return out;
}

void check_offsets(const Bytes& packet, const Parsed& parsed) {
  const size_t end = size_t{parsed.l3_offset} + parsed.l3_length;
  require(end <= packet.size(), "the IP packet ends inside");
  require(parsed.l3_offset < parsed.l4_offset && parsed.l4_offset <= end,
          "the transport header is inside");
  if (parsed.flags & k_icmp_error)
    require(parsed.quote_offset == parsed.l4_offset + 8 && parsed.quote_offset < end,
            "the quote is inside");
  if (parsed.flags & k_fragment)
    require(parsed.fragment_offset >= parsed.l3_offset && parsed.fragment_offset < parsed.l4_offset,
            "the fragment's header is inside");
  require(!(parsed.flags & k_later_fragment) || parsed.flags & k_fragment,
          "a later fragment is a fragment");
}

// New ends that depend on the packet: some equal to the old ones.
template <size_t Address>
Ends<Address> other_ends(const Ends<Address>& ends, const Parsed& parsed) {
  auto other = ends;
  other.source[Address - 1] ^= 0x5a;
  if (ends.source_port % 2) std::ranges::reverse(other.destination);
  other.source[0] = other.destination[0] = Address == 4 ? 10 : 0xfd;
  const bool one_port =
      parsed.protocol == protocol::k_icmp || parsed.protocol == protocol::k_icmpv6;
  // What stands in place of an identifier, type and code, is not rewritten.
  if (one_port && !icmp_has_identifier(parsed.protocol, parsed.icmp_type)) return other;
  if (parsed.source_port != 0 || parsed.destination_port != 0) {
    other.source_port = static_cast<uint16_t>(ends.source_port * 259);
    other.destination_port = static_cast<uint16_t>(~ends.destination_port);
  }
  if (one_port) other.destination_port = other.source_port;
  return other;
}

template <size_t Address>
void check_rewrite(Bytes packet, const Parsed& parsed) {
  const auto from = ends_of<Address>(packet.data(), parsed);
  const auto to = other_ends(from, parsed);
  const bool whole = !(parsed.flags & k_fragment);
  // A UDPLite checksum of zero is nothing that may be sent (RFC 3828 3.1). And of ICMP that is all
  // zeroes it is wrong only by its sign: 0 and 0xffff are one number (RFC 1624 section 3).
  const bool is_zero_udplite =
      parsed.protocol == protocol::k_udplite && load<uint16_t>(&packet[parsed.l4_offset + 6u]) == 0;
  const bool is_zero_icmp = parsed.protocol == protocol::k_icmp &&
                            std::all_of(packet.begin() + parsed.l4_offset,
                                        packet.begin() + parsed.l3_offset + parsed.l3_length,
                                        [](uint8_t byte) { return byte == 0; });
  const bool comparable = whole && !is_zero_udplite && !is_zero_icmp;
  const bool before = comparable && right(packet, parsed);
  const auto original = packet;
  if (!apply(make_rewrite(parsed.protocol, from, to), packet.data(), parsed)) {
    require(parsed.protocol == protocol::k_sctp && !whole, "only SCTP in fragments is not changed");
    return;
  }
  const auto after = reparsed(packet, parsed);
  require(ends_of<Address>(packet.data(), after) == to, "a rewritten packet has the new ends");
  if (comparable) require(right(packet, after) == before, "checksums are as right as before");
  require(packet.size() == original.size(), "the packet keeps its size");
}

template <size_t Address>
Ends<Address> reversed(const Ends<Address>& ends) {
  return {ends.destination, ends.source, ends.destination_port, ends.source_port};
}

template <size_t Address>
void check_quote_rewrite(Bytes packet, const Parsed& error, const Parsed& quote) {
  const auto from = reversed(ends_of<Address>(packet.data(), quote));
  const auto to = other_ends(from, quote);
  const bool before = right(packet, error);
  const uint8_t* inner = &packet[quote.l3_offset];
  const size_t header = Address == 4 ? size_t{inner[0] & 0x0fu} * 4 : 0;
  const bool inner_before = Address == 4 && ipv4_checksum_right(inner, header);
  apply_to_icmp_error(make_rewrite(quote.protocol, from, to), packet.data(), error, quote);
  const auto after = reparsed(packet, error);
  require(right(packet, after) == before, "an error's checksums are as right as before");
  inner = &packet[quote.l3_offset];
  require(Address != 4 || ipv4_checksum_right(inner, header) == inner_before,
          "so is the quoted header's");
  Parsed quote_after;
  require(parse_quote(packet, after, quote_after) == DropReason::none, "the quote is readable");
  require(ends_of<Address>(packet.data(), quote_after) == reversed(to),
          "the quote has the other ends");
}

void check_quote(const Bytes& packet, const Parsed& error) {
  Parsed quote;
  if (parse_quote(packet, error, quote) != DropReason::none) return;
  const size_t end = size_t{quote.l3_offset} + quote.l3_length;
  require(quote.l3_offset == error.quote_offset, "the quote is where it was said to be");
  require(end <= size_t{error.l3_offset} + error.l3_length, "the quote ends inside of the error");
  require(quote.l3_offset < quote.l4_offset && quote.l4_offset <= end,
          "the quoted transport header is inside");
  require(!(quote.flags & k_icmp_error), "no error is about an error");
  if (quote.flags & k_later_fragment) return;
  if (error.family == 4) {
    check_quote_rewrite<4>(packet, error, quote);
  } else {
    check_quote_rewrite<16>(packet, error, quote);
  }
}

void check_built(const Bytes& packet, const Parsed& parsed) {
  const bool v4 = parsed.family == 4;
  constexpr uint8_t k_router4[] = {10, 0, 0, 254};
  constexpr uint8_t k_router6[] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe};
  for (const auto error : {IcmpError::time_exceeded, IcmpError::too_big}) {
    Bytes out(v4 ? k_max_icmp_error4 : k_max_icmp_error6);
    out.resize(build_icmp_error(error, 1400, packet, parsed, v4 ? k_router4 : k_router6, out));
    require(out.empty() != may_be_answered(packet, parsed), "what may be answered is");
    if (out.empty()) continue;
    const auto built = reparsed(out, {.family = parsed.family});
    require(built.flags & k_icmp_error, "an error is one");
    require(right(out, built), "an error's checksums are right");
    require(!may_be_answered(out, built), "no error about an error");
  }
  auto echo = packet;
  if (make_echo_reply(echo, parsed)) {
    const auto reply = reparsed(echo, parsed);
    require(right(echo, reply), "an echo reply's checksums are right");
    require(reply.source_port == parsed.source_port, "an echo reply keeps the identifier");
    require(!make_echo_reply(echo, reply), "a reply is not replied to");
  } else {
    require(echo == packet, "what is no echo request stays as it is");
  }
}

void check_hops(Bytes packet, const Parsed& parsed) {
  const uint8_t* hops = &packet[parsed.l3_offset + (parsed.family == 4 ? 8u : 7u)];
  const uint8_t before = *hops;
  const bool left = decrement_ttl(&packet[parsed.l3_offset], parsed.family);
  require(left == (before > 1) && *hops == (left ? before - 1 : before), "one hop less");
  require(reparsed(packet, parsed) == parsed, "the header's checksum follows");
}

void check_frame(const Bytes& frame) {
  EtherType type{};
  (void)parse_ethernet(frame, {{2, 0, 0, 0, 0, 1}}, type);
  Bytes answer(k_advertisement_frame);
  if (Arp arp; parse_arp(frame, arp) == DropReason::none) {
    build_arp_reply(arp, {{2, 0, 0, 0, 0, 1}}, answer);
    require(parse_arp(answer, arp) == DropReason::none, "an ARP reply is one");
  }
  NeighbourSolicitation asked;
  if (parse_neighbour_solicitation(frame, asked) != DropReason::none) return;
  require(is_neighbour_solicitation(frame), "what is parsed is recognised");
  build_neighbour_advertisement(asked, {{2, 0, 0, 0, 0, 1}}, answer);
  require(transport_checksum_right(&answer[14], 6, protocol::k_icmpv6, &answer[54], 32),
          "an advertisement's checksum is right");
}

// Reassembly with tight limits, beside what it must come to: each handle held comes back once.
class Fragments {
 public:
  void add(uint64_t now, const Bytes& packet, Parsed parsed) {
    while (reassembly_.expire(now, released_)) take_back();
    const auto handle = ++last_handle_;
    const auto verdict = reassembly_.add(now, packet, parsed, handle, released_);
    take_back();
    const bool dropped = verdict.fate == Reassembly::Fate::drop;
    require(dropped == (verdict.reason != DropReason::none), "what is dropped has a reason");
    if (verdict.fate == Reassembly::Fate::hold) {
      require(parsed.flags & k_later_fragment, "a first fragment is not held");
      held_.insert(handle);
    }
    require(held_.size() == reassembly_.held(), "the count of held fragments is right");
    require(reassembly_.held() <= reassembly_.limits().held, "no more are held than may be");
  }

  void finish() {
    while (reassembly_.clear(released_)) take_back();
    require(held_.empty(), "everything comes back");
    require(reassembly_.packets() == 0, "nothing is left");
  }

 private:
  void take_back() {
    for (const auto handle : released_.all())
      require(held_.erase(handle) == 1, "a handle comes back once");
  }

  Reassembly reassembly_{
      {.packets = 4, .fragments = 5, .held = 6, .held_of_packet = 3, .timeout_ms = 1000}, 1};
  Reassembly::Released released_;
  std::set<uint64_t> held_;
  uint64_t last_handle_ = 0;
};

void check_packet(const Packet& packet, uint64_t now, Fragments& fragments) {
  const auto& bytes = packet.bytes;
  Parsed parsed, quick;
  const auto reason = parse(bytes, packet.l3_offset, packet.family, parsed);
  if (parse_fast(bytes, packet.l3_offset, packet.family, quick)) {
    require(reason == DropReason::none, "the fast path accepts nothing that is refused");
    require(quick == parsed, "the fast path says the same");
  }
  if (packet.l3_offset == 14) check_frame(bytes);
  if (reason != DropReason::none) return;

  check_offsets(bytes, parsed);
  check_hops(bytes, parsed);
  check_built(bytes, parsed);
  if (parsed.flags & k_icmp_error) {
    check_quote(bytes, parsed);
  } else if (packet.family == 4) {
    check_rewrite<4>(bytes, parsed);
  } else {
    check_rewrite<16>(bytes, parsed);
  }
  if (parsed.flags & k_fragment) fragments.add(now, bytes, parsed);
}

}  // namespace
}  // namespace margay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  margay::fuzz::Cursor cursor({bytes, size});
  margay::fuzz::Fragments fragments;
  uint64_t now = 0;
  for (int i = 0; i < 32 && !cursor.empty(); ++i) {
    const auto packet = margay::fuzz::next_packet(cursor);
    now += packet.after_ms;
    margay::fuzz::check_packet(packet, now, fragments);
  }
  fragments.finish();
  return 0;
}
