// Routes packets that no session is asked about: in from an uplink, or made here.

#include "vector/graph/dispatch.h"
#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"
#include "vector/nodes/onward.h"
#include "vector/parse/bytes.h"

namespace margay::vector::nodes {
namespace {

enum Edge : rte_edge_t { to_rewrite, to_session };

struct Ipv4 {
  using Tuple = Tuple4;
  using Address = PrefixMap4::Address;
  static constexpr size_t k_destination = 16;  // RFC 791 section 3.1
  static Address destination(const uint8_t* ip) { return load_be<uint32_t>(ip + k_destination); }
  static const PrefixMap4& routes(const Tables& tables) { return tables.routes4; }
};
struct Ipv6 {
  using Tuple = Tuple6;
  using Address = PrefixMap6::Address;
  static constexpr size_t k_destination = 24;  // RFC 8200 section 3
  static Address destination(const uint8_t* ip) {
    Address address;
    std::memcpy(address.data(), ip + k_destination, address.size());
    return address;
  }
  static const PrefixMap6& routes(const Tables& tables) { return tables.routes6; }
};

// Out of line: what plain routing is not held up by.
template <typename Family>
[[gnu::noinline]] Way not_in_transit(Worker& worker, const Adjacency& adjacency, rte_mbuf* packet) {
  const PacketMeta& about = meta(packet);
  const bool own = (about.marks & k_own) != 0;
  switch (adjacency.kind) {
    case Adjacency::Kind::workload:
      if (!own) break;
      // An answer to a workload goes where its packet came from: else somebody used its address.
      if (about.interface != adjacency.interface) return {.reason = DropReason::spoofed_source};
      return {.edge = to_rewrite};
    case Adjacency::Kind::service:
    case Adjacency::Kind::local:
      if (!own) break;
      return {.reason = DropReason::no_route};
    case Adjacency::Kind::unreachable:
      return {.reason = DropReason::unreachable};
    default:
      return {.reason = DropReason::no_route};
  }
  find_flow<typename Family::Tuple>(worker, packet);
  return {.edge = to_session};
}

template <typename Family>
uint16_t run(Worker& worker, rte_graph* graph, rte_node* node, void** packets, uint16_t count) {
  Dispatch dispatch(graph, node, packets, count, to_rewrite);
  typename Family::Address keys[k_most_batch];
  uint32_t found[k_most_batch];
  for (uint16_t first = 0; first < count; first = static_cast<uint16_t>(first + k_most_batch)) {
    const auto part = static_cast<uint16_t>(std::min<unsigned>(k_most_batch, count - first));
    auto** batch = reinterpret_cast<rte_mbuf**>(packets) + first;
    for (uint16_t i = 0; i < part; ++i)
      keys[i] = Family::destination(bytes(batch[i]) + meta(batch[i]).parsed.l3_offset);
    Family::routes(worker.tables).lookup_many({keys, part}, found);
    for (uint16_t i = 0; i < part; ++i) {
      PacketMeta& packet = meta(batch[i]);
      packet.adjacency = static_cast<AdjacencyIndex>(found[i]);
      packet.session = 0;
      const Adjacency& adjacency = *worker.tables.adjacencies[packet.adjacency];
      if (adjacency.kind == Adjacency::Kind::transit) [[likely]] {
        dispatch.to(to_rewrite);
        continue;
      }
      dispatch.go(not_in_transit<Family>(worker, adjacency, batch[i]));
    }
  }
  return dispatch.finish();
}

}  // namespace

const Spec& lookup4() {
  static const Spec spec{
      .name = "lookup4", .function = observed<run<Ipv4>>, .edges = {"rewrite4", "session4"}};
  return spec;
}

const Spec& lookup6() {
  static const Spec spec{
      .name = "lookup6", .function = observed<run<Ipv6>>, .edges = {"rewrite6", "session6"}};
  return spec;
}

}  // namespace margay::vector::nodes
