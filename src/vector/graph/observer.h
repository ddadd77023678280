#pragma once

// How a node finds its worker, and how somebody can watch packets at any node's entry. Watching
// costs one test a batch while nobody does.

#include <rte_graph_worker.h>

#include <cstring>

#include "vector/worker.h"

namespace margay::vector {

inline Worker& worker_of(const rte_node* node) {
  Worker* worker = nullptr;
  std::memcpy(static_cast<void*>(&worker), node->ctx, sizeof(Worker*));
  return *worker;
}

// Sees every batch at the entry of every node, in the worker's thread.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void see(const rte_node& node, void** packets, uint16_t count) = 0;
};

namespace nodes {

// The node function that calls `Run(worker, graph, node, packets, count)`.
template <auto Run>
uint16_t observed(rte_graph* graph, rte_node* node, void** packets, uint16_t count) {
  Worker& worker = worker_of(node);
  if (Observer* observer = worker.observer.load(std::memory_order_acquire)) [[unlikely]]
    observer->see(*node, packets, count);
  return Run(worker, graph, node, packets, count);
}

}  // namespace nodes
}  // namespace margay::vector
