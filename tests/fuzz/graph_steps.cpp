#include "graph_steps.h"

#include <algorithm>

#include "graph_world.h"
#include "header_chain.h"
#include "vector/parse/bytes.h"
#include "vector/parse/checksum.h"
#include "vector/parse/ethernet.h"
#include "vector/parse/ip_protocol.h"
#include "vector/parse/parse.h"
#include "vector/session/tcp_state.h"

namespace margay::fuzz {
namespace {

using namespace vector;

constexpr int k_most_steps = 64;
constexpr uint8_t k_ethernet[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

// Both in the frame's IP packet, which is well-formed.
void swap_ends(Frame& frame, const Parsed& parsed) {
  std::swap_ranges(frame.begin(), frame.begin() + 6, frame.begin() + 6);
  const size_t at = parsed.l3_offset + (parsed.family == 4 ? 12U : 8U);
  const std::ptrdiff_t bytes = parsed.family == 4 ? 4 : 16;
  const auto source = frame.begin() + static_cast<std::ptrdiff_t>(at);
  std::swap_ranges(source, source + bytes, source + bytes);
  const bool is_icmp = parsed.protocol == protocol::k_icmp || parsed.protocol == protocol::k_icmpv6;
  if (parsed.flags & k_later_fragment || is_icmp || parsed.source_port == 0) return;
  const auto ports = frame.begin() + parsed.l4_offset;
  std::swap_ranges(ports, ports + 2, ports + 2);
}

// Changes 16 bits that a checksum covers, and the checksum.
void change(Frame& frame, size_t at, uint16_t value, size_t checksum_at) {
  adjust_checksum(&frame[checksum_at],
                  ChecksumDelta::of16(load<uint16_t>(&frame[at]), big_endian(value)));
  store_be(&frame[at], value);
}

void answer(Frame& frame, uint8_t how) {
  Parsed parsed;
  const uint8_t family = family_of(EtherType{load_be<uint16_t>(&frame[12])});
  if (parse(frame, k_ethernet_header, family, parsed) != DropReason::none) return;
  swap_ends(frame, parsed);
  if (parsed.flags & k_later_fragment) return;
  const size_t l4 = parsed.l4_offset;
  if (frame.size() < l4 + 8) return;
  if (parsed.protocol == protocol::k_tcp) {
    constexpr uint8_t k_flags[] = {k_tcp_syn | k_tcp_ack,
                                   k_tcp_ack,
                                   k_tcp_fin | k_tcp_ack,
                                   k_tcp_rst,
                                   k_tcp_syn,
                                   0,
                                   k_tcp_ack,
                                   k_tcp_ack};
    change(frame, l4 + 12, static_cast<uint16_t>(frame[l4 + 12] << 8 | k_flags[how % 8]), l4 + 16);
  }
  if (parsed.protocol == protocol::k_icmp && frame[l4] == 8) change(frame, l4, 0, l4 + 2);
  if (parsed.protocol == protocol::k_icmpv6 && frame[l4] == 128)
    change(frame, l4, 129 << 8, l4 + 2);
}

// An ICMP error about a frame that left, from an address that the input chooses.
Frame error_about(const Frame& about, uint8_t type, uint8_t from) {
  const uint8_t family = family_of(EtherType{load_be<uint16_t>(&about[12])});
  Frame frame(about.begin() + 14, about.end());
  if (frame.size() > 200) frame.resize(200);
  if (family != 4 && family != 6) return about;
  Frame header(family == 4 ? 20 : 40);
  header[0] = family == 4 ? 0x45 : 0x60;
  header[family == 4 ? 8 : 7] = 64;
  const uint8_t proto = family == 4 ? protocol::k_icmp : protocol::k_icmpv6;
  header[family == 4 ? 9 : 6] = proto;
  const size_t length = frame.size() + 8 + (family == 4 ? 20 : 0);
  store_be(&header[family == 4 ? 2 : 4], static_cast<uint16_t>(length));
  const size_t at = family == 4 ? 12 : 8, bytes = family == 4 ? 4 : 16;
  if (frame.size() < at + 2 * bytes) return about;
  // The quoted source or destination, or another of the same net.
  std::copy_n(&frame[at + (from & 1 ? 0 : bytes)], bytes, &header[at]);
  if (from & 2) header[at + bytes - 1] = from >> 2;
  std::copy_n(&frame[at], bytes, &header[at + bytes]);
  if (family == 4) store(&header[10], checksum(ones_sum(header.data(), header.size())));
  frame.insert(frame.begin(), {type, 0, 0, 0, 0, 0, 5, 100});
  store(&frame[2], transport_checksum(header.data(), family, proto, frame.data(), frame.size()));
  frame.insert(frame.begin(), header.begin(), header.end());
  Frame ethernet(k_ethernet, k_ethernet + 14);
  store_be(&ethernet[12], static_cast<uint16_t>(family == 4 ? 0x0800 : 0x86dd));
  frame.insert(frame.begin(), ethernet.begin(), ethernet.end());
  return frame;
}

Frame frame_of(const Packet& packet) {
  if (packet.l3_offset == 14) return packet.bytes;
  Frame frame(k_ethernet, k_ethernet + 14);
  store_be(&frame[12], static_cast<uint16_t>(packet.family == 4 ? 0x0800 : 0x86dd));
  frame.insert(frame.end(), packet.bytes.begin(), packet.bytes.end());
  return frame;
}

Port port_of(uint8_t byte) { return static_cast<Port>(byte % 4); }
Pod pod_of(uint8_t byte) { return static_cast<Pod>(byte % 3); }

// How a frame comes in: port, worker, pieces, and whether it waits for the next one.
void send(GraphWorld& world, Port port, uint8_t how, const Frame& frame) {
  world.send(port, how >> 2 & 1, frame, (how >> 3 & 3) + 1U);
  if (!(how & 0x20)) world.flush();
}

void configure(GraphWorld& world, Cursor& cursor) {
  const uint8_t what = cursor.next(), how = cursor.next();
  switch (what % 8) {
    case 0:
      world.set_policy(pod_of(what >> 3), how);
      break;
    case 1: {
      const Pod pod = pod_of(what >> 3);
      world.set_workload(pod, pod == Pod::c || how & 1, pod == Pod::c || how & 2);
      break;
    }
    case 2:
      world.set_service(how);
      break;
    case 3:
      world.set_masquerading_service(what & 8, how);
      break;
    case 4:
      world.set_route(how);
      break;
    case 5:
      world.set_port(what & 16 ? Port::cali_d : what & 8 ? Port::cali_a : Port::cali_b, how & 1);
      break;
    case 6:
      world.set_node_addresses(how & 1);
      break;
    default:
      break;
  }
  if (!(how & 0x80)) world.publish();
}

void step(GraphWorld& world, Cursor& cursor) {
  const uint8_t operation = cursor.next() % 16;
  const uint8_t how = cursor.next();
  switch (operation) {
    case 8:
    case 9:
      if (const auto* seen = world.left(how >> 5)) {
        Frame frame = seen->frame;
        answer(frame, cursor.next());
        send(world, seen->port, how & 0x1f, frame);
      }
      break;
    case 10:
      if (const auto* seen = world.left(how >> 5)) {
        const uint8_t type = cursor.next(), from = cursor.next();
        const Frame frame = error_about(seen->frame, type, from);
        send(world, operation == 10 && from & 0x80 ? port_of(how) : seen->port, how & 0x1c, frame);
      }
      break;
    case 11:
      if (const auto* seen = world.left(how >> 5)) {
        Frame frame = seen->frame;
        std::copy_n(k_ethernet, 12, frame.begin());
        send(world, port_of(how), how & 0x1f, frame);
      }
      break;
    case 12:
      world.pass_time(uint64_t{how} * how);
      break;
    case 13:
      if (how & 0x80)
        world.hoard(how & 0x7f);
      else
        world.poll(how & 1);
      break;
    case 14:
    case 15:
      configure(world, cursor);
      break;
    default: {
      const Packet packet = next_packet(cursor);
      send(world, port_of(how), how, frame_of(packet));
      break;
    }
  }
}

}  // namespace

void run_graph(std::span<const uint8_t> input) {
  static GraphWorld new_flows(PolicyChangeAppliesTo::new_flows);
  static GraphWorld all_flows(PolicyChangeAppliesTo::all_flows);
  Cursor cursor(input);
  GraphWorld& world = cursor.next() & 1 ? all_flows : new_flows;
  for (int i = 0; i < k_most_steps && !cursor.empty(); ++i) step(world, cursor);
  world.finish();
}

}  // namespace margay::fuzz
