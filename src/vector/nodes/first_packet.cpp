// The first packet of a flow, and the first packet of a known one after the configuration changed:
// where it comes from, which backend it goes to, whether policy lets it, where it leaves. What is
// found becomes a session; nothing of this is done again for its other packets.
//
// A batch goes through each question together, so that the memory of all its answers is on its way
// at once.

#include <array>

#include "vector/graph/dispatch.h"
#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"
#include "vector/nodes/first_packet_batch.h"

namespace margay::vector::nodes {
namespace {

enum Edge : rte_edge_t { to_rewrite, to_local };

template <typename Tuple>
uint16_t run(Worker& worker, rte_graph* graph, rte_node* node, void** packets, uint16_t count) {
  Dispatch dispatch(graph, node, packets, count, to_rewrite);
  for (uint16_t first = 0; first < count; first = static_cast<uint16_t>(first + k_most_batch)) {
    const auto part = static_cast<uint16_t>(std::min<unsigned>(k_most_batch, count - first));
    FirstPackets<Tuple> batch(worker, reinterpret_cast<rte_mbuf**>(packets) + first, part);
    batch.find_sources();
    batch.choose_backends();
    batch.find_destinations();
    batch.ask_policy();
    for (uint16_t i = 0; i < part; ++i) {
      const FirstPacketResult result = batch.complete(i);
      if (result.reason != DropReason::none)
        dispatch.drop(result.reason);
      else
        dispatch.to(result.for_us ? to_local : to_rewrite);
    }
  }
  return dispatch.finish();
}

}  // namespace

const Spec& first_packet4() {
  static const Spec spec{
      .name = "first-packet4", .function = observed<run<Tuple4>>, .edges = {"rewrite4", "local"}};
  return spec;
}

const Spec& first_packet6() {
  static const Spec spec{
      .name = "first-packet6", .function = observed<run<Tuple6>>, .edges = {"rewrite6", "local"}};
  return spec;
}

}  // namespace margay::vector::nodes
