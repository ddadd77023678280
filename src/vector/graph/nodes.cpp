#include "vector/graph/nodes.h"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_graph_worker.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "vector/drop_reason.h"
#include "vector/graph/observer.h"

namespace margay::vector {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

// rte_graph_create() calls each node's init before it returns, in the same thread.
thread_local Worker* worker_of_graph_in_creation = nullptr;

int init(const rte_graph* /*graph*/, rte_node* node) {
  std::memcpy(node->ctx, static_cast<const void*>(&worker_of_graph_in_creation), sizeof(Worker*));
  return 0;
}

std::vector<const nodes::Spec*> all_nodes() {
  return {&nodes::input(),         &nodes::handed_over(),   &nodes::parse(),
          &nodes::reassembly(),    &nodes::session4(),      &nodes::session6(),
          &nodes::first_packet4(), &nodes::first_packet6(), &nodes::related(),
          &nodes::lookup4(),       &nodes::lookup6(),       &nodes::rewrite4(),
          &nodes::rewrite6(),      &nodes::icmp_error(),    &nodes::local(),
          &nodes::handoff(),       &nodes::output()};
}

std::string drop_name(size_t reason) {
  return fmt::format("drop-{}", text_of(static_cast<DropReason>(reason)).name);
}

Result<rte_node_t> register_node(const nodes::Spec& spec, const std::vector<std::string>& drops) {
  const size_t edges = spec.edges.size() + drops.size();
  // The structure ends in an array of names; DPDK copies all of it.
  const std::unique_ptr<rte_node_register, decltype(&std::free)> node(
      static_cast<rte_node_register*>(
          std::calloc(1, sizeof(rte_node_register) + edges * sizeof(const char*))),
      &std::free);
  if (!node) return fail(ErrorCode::unavailable, "no memory for the packet graph");
  std::strncpy(node->name, spec.name, sizeof(node->name) - 1);
  node->flags = spec.source ? RTE_NODE_SOURCE_F : 0;
  node->process = spec.function;
  node->init = init;
  node->parent_id = RTE_NODE_ID_INVALID;
  node->nb_edges = static_cast<rte_edge_t>(edges);
  size_t edge = 0;
  for (const char* name : spec.edges) node->next_nodes[edge++] = name;
  for (const auto& name : drops) node->next_nodes[edge++] = name.c_str();
  const rte_node_t id = __rte_node_register(node.get());
  if (id == RTE_NODE_ID_INVALID)
    return fail(ErrorCode::unavailable,
                fmt::format("node {}: {}", spec.name, rte_strerror(rte_errno)));
  return id;
}

}  // namespace

Result<> register_nodes() {
  MARGAY_TRY(const rte_node_t drop, register_node(nodes::drop(), {}));
  std::vector<std::string> drops;
  for (size_t reason = 0; reason < k_drop_reasons; ++reason) {
    const std::string name(text_of(static_cast<DropReason>(reason)).name);
    if (rte_node_clone(drop, name.c_str()) == RTE_NODE_ID_INVALID)
      return fail(ErrorCode::unavailable,
                  fmt::format("node drop-{}: {}", name, rte_strerror(rte_errno)));
    drops.push_back(drop_name(reason));
  }
  for (const auto* spec : all_nodes()) MARGAY_CHECK(register_node(*spec, drops));
  return {};
}

Result<rte_graph*> create_graph(const std::string& name, Worker& worker) {
  std::vector<const char*> patterns;
  for (const auto* spec : all_nodes()) patterns.push_back(spec->name);
  patterns.push_back("drop-*");
  rte_graph_param parameters{};
  parameters.socket_id = SOCKET_ID_ANY;
  parameters.nb_node_patterns = static_cast<uint16_t>(patterns.size());
  parameters.node_patterns = patterns.data();
  worker_of_graph_in_creation = &worker;
  const rte_graph_t id = rte_graph_create(name.c_str(), &parameters);
  if (id == RTE_GRAPH_ID_INVALID)
    return fail(ErrorCode::unavailable,
                fmt::format("the packet graph is not made: {}", rte_strerror(rte_errno)));
  return rte_graph_lookup(name.c_str());
}

void destroy_graph(rte_graph* graph) {
  if (graph) rte_graph_destroy(rte_graph_from_name(graph->name));
}

std::vector<NodeCount> node_counts(const rte_graph* graph) {
  std::vector<NodeCount> counts;
  rte_graph_off_t offset = graph->nodes_start;
  for (rte_node_t i = 0; i < graph->nb_nodes; ++i) {
    const auto* node = static_cast<const rte_node*>(RTE_PTR_ADD(graph, offset));
    counts.push_back({node->name, node->total_calls, node->total_objs, node->total_cycles});
    offset = node->next;
  }
  return counts;
}

}  // namespace margay::vector
