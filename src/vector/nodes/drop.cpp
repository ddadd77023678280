// Frees what was dropped. Each reason has a node of its own, cloned from this one.

#include "vector/graph/nodes.h"
#include "vector/graph/observer.h"

namespace margay::vector::nodes {
namespace {

uint16_t run(Worker& /*worker*/, rte_graph* /*graph*/, rte_node* /*node*/, void** packets,
             uint16_t count) {
  rte_pktmbuf_free_bulk(reinterpret_cast<rte_mbuf**>(packets), count);
  return count;
}

}  // namespace

const Spec& drop() {
  static const Spec spec{.name = "drop", .function = observed<run>};
  return spec;
}

}  // namespace margay::vector::nodes
