#pragma once

// Hands a node's packets to the next nodes. Most batches go one way: as long as every packet takes
// the expected edge nothing is copied, and at the end the whole batch moves at once.

#include <rte_graph_worker.h>
#include <rte_mbuf.h>

#include "vector/drop_reason.h"

namespace margay::vector {

// Where a packet goes: by one of its node's edges, unless there is a reason to drop it.
struct Way {
  rte_edge_t edge = 0;
  DropReason reason = DropReason::none;
};

class Dispatch {
 public:
  Dispatch(rte_graph* graph, rte_node* node, void** packets, uint16_t count, rte_edge_t expected)
      : graph_(graph), node_(node), packets_(packets), count_(count), expected_(expected) {}

  // Once for each packet, in their order.
  void to(rte_edge_t edge) {
    if (edge == expected_) [[likely]] {
      ++next_;
      return;
    }
    flush();
    rte_node_enqueue_x1(graph_, node_, edge, packets_[next_++]);
    pending_ = next_;
  }
  // Drop edges stand behind the node's own ones, in the order of the reasons (graph/nodes.h).
  void drop(DropReason reason) { to(drop_edge(node_, reason)); }
  void go(const Way& way) {
    if (way.reason == DropReason::none) [[likely]]
      to(way.edge);
    else
      drop(way.reason);
  }

  uint16_t finish() {
    if (pending_ == 0) [[likely]]
      rte_node_next_stream_move(graph_, node_, expected_);
    else
      flush();
    return count_;
  }

  const rte_node* node() const { return node_; }
  static rte_edge_t drop_edge(const rte_node* node, DropReason reason) {
    return static_cast<rte_edge_t>(node->nb_edges - k_drop_reasons + static_cast<size_t>(reason));
  }

 private:
  void flush() {
    if (pending_ < next_)
      rte_node_enqueue(graph_, node_, expected_, packets_ + pending_,
                       static_cast<uint16_t>(next_ - pending_));
    pending_ = next_;
  }

  rte_graph* graph_;
  rte_node* node_;
  void** packets_;
  uint16_t count_;
  rte_edge_t expected_;
  uint16_t next_ = 0;     // the packet that to() is about
  uint16_t pending_ = 0;  // the first that has not been handed over yet
};

}  // namespace margay::vector
