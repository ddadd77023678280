#pragma once

// The nodes of the graph and their edges. One file in nodes/ defines each node's function.
//
//   input ──> parse ──workload's──> session ──known───────────────> rewrite ──> output
//               │ │                  ↑  │ └────new──> first-packet ────┘ │
//               │ └─uplink's──> lookup ─┼───────transit────────────────┘ └──> icmp-error ──> lookup
//               │                       └──another worker's──> handoff ··> handed-over ──> session
//               └──> reassembly (fragments), related (ICMP errors), local (ARP, ND, our addresses)
//
// session, first-packet, lookup and rewrite are there for each family: session4, session6, ...
// Every node has behind its own edges one for each reason to drop a packet: to the node
// `drop-<reason>`, whose counter is the count of these drops.

#include <rte_graph.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace margay::vector {

struct Worker;

namespace nodes {

using Function = uint16_t (*)(rte_graph*, rte_node*, void**, uint16_t);

struct Spec {
  const char* name;
  Function function;
  bool source = false;
  std::vector<const char*> edges;
};

const Spec& input();
const Spec& handed_over();
const Spec& parse();
const Spec& reassembly();
const Spec& session4();
const Spec& session6();
const Spec& first_packet4();
const Spec& first_packet6();
const Spec& related();
const Spec& lookup4();
const Spec& lookup6();
const Spec& rewrite4();
const Spec& rewrite6();
const Spec& icmp_error();
const Spec& local();
const Spec& handoff();
const Spec& output();
const Spec& drop();

}  // namespace nodes

// Makes DPDK know every node; once in a process.
base::Result<> register_nodes();

// The graph of one worker, which finds its worker through worker_of(node).
base::Result<rte_graph*> create_graph(const std::string& name, Worker& worker);
void destroy_graph(rte_graph* graph);

struct NodeCount {
  std::string name;
  uint64_t calls = 0, packets = 0, cycles = 0;
};
std::vector<NodeCount> node_counts(const rte_graph* graph);

}  // namespace margay::vector
