#pragma once

// The chains of the filter, raw and nat tables, as pure functions from desired state to values.
// Their layout is Felix's: docs/dataplane-iptables.md shows it as a picture. A chain belongs to a
// layer: what iptables calls a table.

#include <set>
#include <string>
#include <vector>

#include "dataplane/linux/config.h"
#include "dataplane/linux/marks.h"
#include "dataplane/linux/packet_rule.h"
#include "policy/program.h"

namespace margay::dataplane::linux_host {

// What all of them need to know.
struct ChainContext {
  const Config& config;
  policy::IPFamily family;
  Marks marks;
};

// Whether any pool asks for a kind of encapsulation: decides about rules for tunnel packets.
struct Encapsulations {
  bool vxlan = false;
  bool ipip = false;
  bool operator==(const Encapsulations&) const = default;
};

// The target that denies in filter.
Target deny_target(const Config& config);

// cali-fw-<interface> (what the workload sends) and cali-tw-<interface> (what it receives).
std::vector<PacketChain> endpoint_chains(const ChainContext& context,
                                         const policy::ProgramWorkload& workload);

// The same, dropping every packet: its policy could not be programmed.
std::vector<PacketChain> closed_endpoint_chains(const policy::ProgramWorkload& workload);

// Which chains of host endpoints there are (host_chains.h).
struct HostPolicy {
  bool any = false;        // any at all
  bool for_all = false;    // one for `*`
  bool untracked = false;  // those of doNotTrack
  // The kernel or firewall refuses mangle: what it would ask of the host's own packets to services
  // is asked in filter, by the interface that was chosen before the translation.
  bool without_mangle = false;
  // What raw and mangle hold is not what is wanted: the marks that they set tell nothing.
  bool distrusts_marks = false;
};

// cali-FORWARD, cali-INPUT, cali-OUTPUT, cali-wl-to-host, and where there is something to block
// cali-cidr-block.
std::vector<PacketChain> filter_chains(const ChainContext& context, Encapsulations encapsulations,
                                       HostPolicy hosts = {});

// cali-PREROUTING of raw: the strict reverse-path check on workload interfaces.
std::vector<PacketChain> raw_chains(const ChainContext& context, HostPolicy hosts = {});

// One external address is mapped to one workload's.
using FloatingIPs = std::set<policy::FloatingIP>;
// cali-PREROUTING, cali-POSTROUTING, cali-OUTPUT, cali-nat-outgoing, cali-fip-dnat, cali-fip-snat.
std::vector<PacketChain> nat_chains(const ChainContext& context, const FloatingIPs& floating_ips,
                                    Encapsulations encapsulations);

}  // namespace margay::dataplane::linux_host
