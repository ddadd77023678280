#pragma once

// What a node does before its agent starts, as calico/node's start-up does: says who it is, and
// makes the objects a new cluster needs. Everything here may be done again at any time, by any
// number of nodes at once; what a user has set stays.
//
//   Node (v1)                 created when there is none: without a kubelet this agent is the one
//                             who knows
//   Node (projectcalico.org)  created, or its addresses brought up to date
//   IPPool                    default-ipv4-ippool, default-ipv6-ippool, when there is no pool at
//   all ClusterInformation, FelixConfiguration   "default", when missing

#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "node/address_detection.h"
#include "store/store.h"

namespace margay::node {

// calico/node's environment variables, as far as they matter here; the defaults are Calico's, but
// for CALICO_IPV4POOL_IPIP, which is Never (docs/guide/node.md).
struct StartupOptions {
  std::string node;                          // NODENAME
  std::string ip = "autodetect";             // IP: "autodetect", "none", ADDRESS or ADDRESS/LENGTH
  std::string ip6;                           // IP6; empty: as "none", but what the Node says stays
  std::string ip_method = "first-found";     // IP_AUTODETECTION_METHOD
  std::string ip6_method = "first-found";    // IP6_AUTODETECTION_METHOD
  bool no_default_pools = false;             // NO_DEFAULT_POOLS
  std::optional<base::Prefix> ipv4_pool;     // CALICO_IPV4POOL_CIDR
  std::optional<base::Prefix> ipv6_pool;     // CALICO_IPV6POOL_CIDR
  std::optional<int64_t> ipv4_block_size;    // CALICO_IPV4POOL_BLOCK_SIZE
  std::optional<int64_t> ipv6_block_size;    // CALICO_IPV6POOL_BLOCK_SIZE
  std::string ipv4_vxlan = "Never";          // CALICO_IPV4POOL_VXLAN
  std::string ipv6_vxlan = "Never";          // CALICO_IPV6POOL_VXLAN, beyond Calico v3.19
  std::string ipv4_ipip = "Never";           // CALICO_IPV4POOL_IPIP
  bool ipv4_nat_outgoing = true;             // CALICO_IPV4POOL_NAT_OUTGOING
  bool ipv6_nat_outgoing = false;            // CALICO_IPV6POOL_NAT_OUTGOING
  std::string ipv4_node_selector = "all()";  // CALICO_IPV4POOL_NODE_SELECTOR
  std::string ipv6_node_selector = "all()";  // CALICO_IPV6POOL_NODE_SELECTOR
  std::string cluster_type = "k8s";          // CLUSTER_TYPE

  // From K=V strings ended by null; `invalid` names the variable.
  static base::Result<StartupOptions> from_environment(std::string node,
                                                       const char* const* environment);
};

// What this node is called: `given` (--name, NODENAME), else `felix_hostname` (FelixHostname), else
// the host's name; the latter in lower case, as Kubernetes names its nodes.
base::Result<std::string> node_name(const std::string& given, const std::string& felix_hostname);

// This node's addresses, by the options. None of a family that is switched off. Errors name the
// variable: `invalid`, or `not_found` where detection finds none.
struct NodeAddresses {
  std::optional<HostAddress> v4, v6;
};
base::Result<NodeAddresses> node_addresses(const StartupOptions& options,
                                           const std::vector<HostAddress>& host);

// Blocks while it writes. `unavailable` errors are worth another try, others need a person. Reads
// each object before it makes one, so that a node without the right to make what is there already
// (Nodes, under Calico's manifests) starts all the same.
base::Result<> start_up(store::Store& store, const StartupOptions& options,
                        const NodeAddresses& addresses);

}  // namespace margay::node
