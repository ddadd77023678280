// Plain routing: 65,536 destinations among a million routes.

#include "vector/bench/forward.h"

#include <fmt/format.h>
#include <rte_byteorder.h>

#include <algorithm>
#include <map>
#include <random>

#include "vector/bench/frame.h"
#include "vector/parse/ip_protocol.h"

namespace margay::vector::bench {
namespace {

using base::IPAddress;
using base::Prefix;
using base::Result;

constexpr uint64_t k_destinations = 65536;
constexpr unsigned k_next_hops = 256;

NextHop next_hop(InterfaceIndex out, unsigned number) {
  return {.kind = Adjacency::Kind::transit,
          .interface = out,
          .mac = {{2, 0, 0, 1, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)}}};
}

template <typename Tuple>
struct Family;
template <>
struct Family<Tuple4> {
  static constexpr auto k_family = base::IPFamily::v4;
  static constexpr const char* k_name = "forward4";
  static constexpr unsigned k_bytes = k_frame_bytes_on_wire;
  // As in the Internet's table: most are /24, some shorter.
  static Prefix prefix(std::mt19937_64& random) {
    static constexpr unsigned k_lengths[] = {24, 24, 24, 24, 24, 24, 23,
                                             22, 22, 21, 20, 19, 18, 16};
    const unsigned length = k_lengths[random() % std::size(k_lengths)];
    while (true) {
      const auto address = static_cast<uint32_t>(0x01000000 + random() % 0xdc000000U);
      // Loopback and link-local are not forwarded.
      if (address >> 24 != 127 && address >> 16 != 0xa9fe) return {IPAddress::v4(address), length};
    }
  }
  static Tuple4 tuple(const Prefix& destination, uint64_t flow) {
    Tuple4 tuple;
    const auto address = destination.address().plus(1);
    std::memcpy(&tuple.destination, address.bytes().data(), 4);
    const uint32_t source = 0x0a000001;
    tuple.source = rte_cpu_to_be_32(source);
    tuple.source_port = rte_cpu_to_be_16(static_cast<uint16_t>(flow));
    tuple.destination_port = rte_cpu_to_be_16(80);
    return tuple;
  }
};
template <>
struct Family<Tuple6> {
  static constexpr auto k_family = base::IPFamily::v6;
  static constexpr const char* k_name = "forward6";
  static constexpr unsigned k_bytes = k_frame6_bytes_on_wire;
  static Prefix prefix(std::mt19937_64& random) {
    static constexpr unsigned k_lengths[] = {48, 48, 48, 48, 48, 44, 40, 36, 32, 56, 64};
    std::array<uint8_t, 16> bytes{};
    for (auto& byte : bytes) byte = static_cast<uint8_t>(random());
    bytes[0] = static_cast<uint8_t>(0x20 | bytes[0] % 16);  // 2000::/4
    return {IPAddress::v6(bytes), k_lengths[random() % std::size(k_lengths)]};
  }
  static Tuple6 tuple(const Prefix& destination, uint64_t flow) {
    Tuple6 tuple;
    const auto address = destination.address().plus(1);
    std::ranges::copy(address.bytes(), tuple.destination.begin());
    tuple.source = {0x20, 0x01, 0x0d, 0xb8};
    tuple.source[15] = 1;
    tuple.source_port = rte_cpu_to_be_16(static_cast<uint16_t>(flow));
    tuple.destination_port = rte_cpu_to_be_16(80);
    return tuple;
  }
};

// Where the reference says a packet goes: longest match, the slow way.
unsigned reference_next_hop(const std::map<Prefix, unsigned>& routes, const IPAddress& address) {
  for (unsigned length = address.bits() + 1; length-- > 0;)
    if (const auto found = routes.find(Prefix(address, length)); found != routes.end())
      return found->second;
  return 0;
}

template <typename Tuple>
Result<Measurement> forward(uint64_t routes) {
  MARGAY_TRY(const auto engine, Engine::create({}));
  MARGAY_TRY(const auto in, engine->add_interface({.name = "in", .mac = k_our_mac}));
  MARGAY_TRY(const auto out, engine->add_interface({.name = "out", .mac = k_our_mac}));
  std::mt19937_64 random(1);
  std::map<Prefix, unsigned> table;
  while (table.size() < routes)
    table.emplace(Family<Tuple>::prefix(random), static_cast<unsigned>(random() % k_next_hops));
  std::vector<Prefix> prefixes;
  prefixes.reserve(table.size());
  for (const auto& [prefix, number] : table) {
    engine->forwarding().set_route(prefix, next_hop(out, number));
    prefixes.push_back(prefix);
  }
  engine->publish();

  std::vector<std::pair<Tuple, MacAddress>> flows;
  const uint64_t destinations = std::min(k_destinations, routes);
  for (uint64_t flow = 0; flow < destinations; ++flow) {
    const Tuple tuple = Family<Tuple>::tuple(prefixes[flow * table.size() / destinations], flow);
    const auto address = IPAddress::from_bytes(
        {reinterpret_cast<const uint8_t*>(&tuple.destination), sizeof(tuple.destination)});
    flows.emplace_back(tuple, next_hop(out, reference_next_hop(table, *address)).mac);
  }
  const Traffic traffic{.in = in,
                        .flows = flows.size(),
                        .make =
                            [&](rte_mbuf* packet, uint64_t flow) {
                              make_frame(packet, flows[flow].first, protocol::k_udp, 0, flow);
                            },
                        .is_right =
                            [&](rte_mbuf* packet, InterfaceIndex interface, uint64_t flow) {
                              return interface == out &&
                                     is_forwarded(packet, flows[flow].second, flows[flow].first);
                            }};
  MARGAY_TRY(const double cycles, cycles_per_packet(*engine, traffic, 15, 512));
  auto result = measured(fmt::format("{}/routes={}", Family<Tuple>::k_name, routes),
                         Family<Tuple>::k_bytes, flows.size(), 0, cycles);
  return result;
}

}  // namespace

std::vector<Case> forward_cases() {
  std::vector<Case> cases;
  for (const uint64_t routes : {1U, 1000U, 100000U, 1000000U}) {
    cases.push_back(
        {fmt::format("forward4/routes={}", routes), [routes] { return forward<Tuple4>(routes); }});
    cases.push_back(
        {fmt::format("forward6/routes={}", routes), [routes] { return forward<Tuple6>(routes); }});
  }
  return cases;
}

}  // namespace margay::vector::bench
