#pragma once

// The chains of host endpoints in three tables, as pure functions from desired state to values.
// Their layout is Felix's (docs/dataplane-iptables.md):
//
//   raw     before tracking: doNotTrack policies, in and (of the host's own packets) out
//   mangle  before services: preDNAT policies; behind them, for the host's own packets to services,
//           whose way out is known only there: the normal policy of egress
//   filter  what is for the host, of it, or forwarded by it
//
// What one of the first stages allows keeps the mark "accept" until filter. Where one of the first
// two tables cannot be written, filter is closed to what its policies would have been asked of.

#include <set>
#include <string>
#include <vector>

#include "dataplane/linux/filter_chains.h"

namespace margay::dataplane::linux_host {

using HostEndpoints = std::vector<const policy::ProgramHostEndpoint*>;

struct HostChains {
  std::vector<PacketChain> raw, mangle, filter;
};

// All that there are because of these host endpoints; none without any. `unwritten`: the layers
// that cannot be written.
HostChains host_chains(const ChainContext& context, const HostEndpoints& endpoints,
                       const std::set<Layer>& unwritten = {});

// Whether one of them is for `*`, or has a doNotTrack policy.
bool has_one_for_all(const HostEndpoints& endpoints);
bool has_untracked(const HostEndpoints& endpoints);

}  // namespace margay::dataplane::linux_host
