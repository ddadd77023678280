#pragma once

// What of the program a data plane cannot do, and what becomes of it instead. The agent reads it:
// nothing is left out silently, neither at start nor when a delta asks for it.

#include <string>
#include <vector>

#include "policy/program.h"

namespace margay::dataplane {

struct Capabilities {
  std::string name;  // "iptables"

  bool host_endpoints = false;  // false: their deltas are refused
  bool services = false;        // false: somebody else (kube-proxy) balances
  bool log_action = true;       // false: Log rules are skipped
  bool ipv6 = true;             // false: IPv6 of workloads is dropped
  bool nat_outgoing = true;
  bool floating_ips = true;
  bool vxlan = true;
  bool ipip = false;
  bool wireguard = false;
  bool flow_records = false;  // true: Upcalls::on_flows is called
  // false: flows that a change of policy forbids end with it.
  bool established_flows_survive_policy_change = true;
};

// The names of what it lacks, for one line at start: {"host endpoints", "IPIP"}.
std::vector<std::string> missing(const Capabilities& capabilities);

// Something a delta asks for that the data plane cannot do.
struct Gap {
  std::string what;         // by name: "host endpoint node-a/eth0"
  std::string consequence;  // "is not enforced"
  std::string lacks;        // "host endpoints"

  // "host endpoint node-a/eth0 is not enforced: the iptables data plane has no host endpoints"
  std::string message(const Capabilities& capabilities) const;
};
std::vector<Gap> gaps(const Capabilities& capabilities, const policy::Delta& delta);

// Whether the data plane is to be given the delta at all: none of what it has nothing for, and none
// of those that are for the agent itself (Unprogrammed).
bool accepts(const Capabilities& capabilities, const policy::Delta& delta);

}  // namespace margay::dataplane
