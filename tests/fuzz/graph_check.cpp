// What must hold of every packet that leaves the engine.

#include <algorithm>
#include <bit>

#include "graph_watch.h"
#include "graph_world.h"
#include "vector/nodes/tuple.h"
#include "vector/parse/bytes.h"
#include "vector/parse/ethernet.h"
#include "vector/parse/parse.h"
#include "vector/session/tcp_state.h"
#include "vector/testing/packet_builder.h"

namespace margay::fuzz {

using namespace vector;

namespace {

constexpr size_t k_ip = 14;

std::optional<uint8_t> family_of_frame(const Frame& frame) {
  if (frame.size() < k_ip) return {};
  const uint8_t family = family_of(EtherType{load_be<uint16_t>(&frame[12])});
  if (family != 4 && family != 6) return {};
  return family;
}

// Whether checksums can be compared with what they should be, and are.
bool right(const Frame& frame, const Parsed& parsed) {
  if (parsed.flags & k_fragment) return false;
  // ICMP of the other family has no checksum we know of; one of zero may not be sent in UDPLite.
  const uint8_t foreign = parsed.family == 4 ? protocol::k_icmpv6 : protocol::k_icmp;
  if (parsed.protocol == protocol::k_udplite && load<uint16_t>(&frame[parsed.l4_offset + 6U]) == 0)
    return false;
  return testing::checksums_right({&frame[k_ip], parsed.l3_length}, parsed.l4_offset - k_ip,
                                  parsed.protocol == foreign ? protocol::k_none : parsed.protocol);
}

uint8_t hops_of(const Frame& frame, uint8_t family) { return frame[k_ip + (family == 4 ? 8 : 7)]; }

struct Addresses {
  std::span<const uint8_t> source, destination;
};
Addresses addresses_of(const Frame& frame, uint8_t family, size_t ip = k_ip) {
  const size_t at = ip + (family == 4 ? 12 : 8), bytes = family == 4 ? 4 : 16;
  return {{&frame[at], bytes}, {&frame[at + bytes], bytes}};
}

// The pod that has the address: 10.0.0.N, fd00::N.
std::optional<Pod> pod_of(std::span<const uint8_t> address) {
  constexpr uint8_t k_v4[] = {10, 0, 0}, k_v6[15] = {0xfd};
  const auto front = address.first(address.size() - 1);
  const bool in_range =
      address.size() == 4 ? std::ranges::equal(front, k_v4) : std::ranges::equal(front, k_v6);
  if (!in_range || address.back() < 1 || address.back() > 3) return {};
  return static_cast<Pod>(address.back() - 1);
}

// 10.96.0.1, fd96::1
bool is_plain_service(std::span<const uint8_t> address) {
  constexpr uint8_t k_v4[] = {10, 96, 0, 1};
  constexpr uint8_t k_v6[16] = {0xfd, 0x96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return address.size() == 4 ? std::ranges::equal(address, k_v4)
                             : std::ranges::equal(address, k_v6);
}

using Flow = std::array<uint8_t, 37>;

Flow flow_of(const Addresses& ends, uint8_t proto, uint16_t source_port,
             uint16_t destination_port) {
  Flow flow{};
  flow[0] = proto;
  std::ranges::copy(ends.source, flow.begin() + 1);
  std::ranges::copy(ends.destination, flow.begin() + 17);
  store_be(&flow[33], source_port);
  store_be(&flow[35], destination_port);
  return flow;
}

// Of a later fragment no more is known.
Flow pair_of(const Addresses& ends) { return flow_of(ends, 0xff, 0, 0); }

}  // namespace

uint32_t tag_of(const Frame& frame, uint8_t port) {
  Tag tag{.port = port};
  Parsed parsed;
  const auto family = family_of_frame(frame);
  if (family && parse(frame, k_ip, *family, parsed) == DropReason::none) {
    tag.right = right(frame, parsed);
    tag.hops = hops_of(frame, *family);
  }
  return std::bit_cast<uint32_t>(tag);
}

void GraphWorld::note_opened(const Frame& frame) {
  Parsed parsed;
  const auto family = family_of_frame(frame);
  if (!family || parse(frame, k_ip, *family, parsed) != DropReason::none) return;
  if (parsed.flags & k_icmp_error) return;
  const Addresses ends = addresses_of(frame, *family);
  if (pod_of(ends.source) != Pod::c) return;
  opened_by_c_.insert(pair_of(ends));
  if (parsed.flags & k_later_fragment) return;
  if (parsed.protocol == protocol::k_tcp && !opens_connection(parsed.tcp_flags)) return;
  opened_by_c_.insert(flow_of(ends, parsed.protocol, parsed.source_port, parsed.destination_port));
}

// Policy lets nobody in at c: what comes out there answers something that c has sent.
void GraphWorld::check_answer_to_c(const Frame& frame, const Parsed& parsed) const {
  const Addresses ends = addresses_of(frame, parsed.family);
  if (parsed.flags & k_icmp_error) {
    Parsed quote;
    require(parse_quote(frame, parsed, quote) == DropReason::none, "an error's quote is readable");
    const Addresses quoted = addresses_of(frame, quote.family, quote.l3_offset);
    require(opened_by_c_.contains(
                flow_of(quoted, quote.protocol, quote.source_port, quote.destination_port)),
            "an error for c is about a flow that c opened");
    return;
  }
  const Addresses back{ends.destination, ends.source};
  if (parsed.flags & k_later_fragment) {
    require(opened_by_c_.contains(pair_of(back)), "a fragment for c comes from whom c knows");
    return;
  }
  require(opened_by_c_.contains(
              flow_of(back, parsed.protocol, parsed.destination_port, parsed.source_port)),
          "a packet for c answers a flow that c opened");
}

void GraphWorld::check(InterfaceIndex interface, rte_mbuf* packet) const {
  const auto out = port_of(interface);
  require(out.has_value(), "a packet leaves through an interface that is there");
  require(packet->nb_segs == 1 && packet->pkt_len == packet->data_len, "a packet is of one piece");
  const uint8_t* first = bytes(packet);
  const Frame frame(first, first + packet->data_len);
  const uint8_t marks = meta(packet).marks;
  const Tag tag = std::bit_cast<Tag>(packet->hash.usr);
  const bool is_own = marks & k_own, is_answer = marks & k_out_where_in;
  require(!is_answer || static_cast<Port>(tag.port) == *out, "an answer goes where it was asked");
  const auto family = family_of_frame(frame);
  if (!family) {
    require(is_answer, "only IP is forwarded");
    return;
  }
  Parsed parsed;
  require(parse(frame, k_ip, *family, parsed) == DropReason::none, "what leaves is well-formed");
  if (is_own || tag.right)
    require(parsed.flags & k_fragment || right(frame, parsed), "checksums stay right");
  if (is_answer) return;

  const Addresses ends = addresses_of(frame, *family);
  require(parsed.l3_length <= (*out == Port::eth0 ? 1500 : 1400), "it fits");
  require(is_own || hops_of(frame, *family) == tag.hops - 1, "it has one hop less");
  require(!is_plain_service(ends.destination), "nothing is sent to a service");
  if (*out == Port::cali_c) check_answer_to_c(frame, parsed);
  const auto to = pod_of(ends.destination);
  if (*out != Port::eth0)
    require(to && static_cast<size_t>(*to) + 1 == static_cast<size_t>(*out),
            "what leaves to a pod is for this pod");
  else
    require(!to || !routed_[static_cast<size_t>(*to)], "what is for a pod leaves to it");
  const auto from = pod_of(ends.source);
  const bool between_uplinks = *out == Port::eth0 && static_cast<Port>(tag.port) == Port::eth0;
  if (from && !is_own && !between_uplinks && routed_[static_cast<size_t>(*from)])
    require(static_cast<size_t>(*from) + 1 == tag.port, "a pod's address is used by nobody else");
}

}  // namespace margay::fuzz
