#pragma once

// What one node enforces, normalised for compilers: selectors have become IP sets, order has
// become lists. Every data plane compiles this and nothing else. It arrives as deltas, in
// dependency order: a set before the rule that names it, a policy before the endpoint that lists
// it, and the reverse for removals. Deltas are idempotent values; `InSync` comes once, after the
// first complete state.

#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "policy/model.h"

namespace margay::policy {

// Members are written as ipset and every other set implementation can take them: never with
// length 0, but as the family's two halves.
struct SetMember {
  Prefix net;            // named ports: a single address
  uint8_t protocol = 0;  // named ports only
  uint16_t port = 0;     // named ports only
  auto operator<=>(const SetMember&) const = default;
};

enum class SetType : uint8_t {
  nets,         // CIDRs and addresses, of both families
  named_ports,  // (address, protocol, port)
};

// A rule with every reference resolved to sets by id. All that is set must match. Its conditions
// are explicit: `family` is set when nets or ICMP types imply it, and `never_matches` when no
// packet of any data plane can match (policy/rule_scope.h).
struct ProgramEntity {
  std::vector<Prefix> nets, not_nets;
  std::vector<std::string> sets;      // address in every one of them
  std::vector<std::string> not_sets;  // address in none of them
  std::vector<PortRange> ports, not_ports;
  std::vector<std::string> port_sets;      // `ports` or any of these: (address, protocol, port)
  std::vector<std::string> not_port_sets;  // in none of these
  bool operator==(const ProgramEntity&) const = default;
};

struct ProgramRule {
  Action action = Action::allow;
  std::optional<IPFamily> family;
  std::optional<uint8_t> protocol, not_protocol;
  std::optional<ICMPMatch> icmp, not_icmp;
  ProgramEntity source, destination;
  bool never_matches = false;
  // A hash of where the rule stands and what it says, stable across restarts: names counters.
  std::string id;
  bool operator==(const ProgramRule&) const = default;
};

struct ProgramRules {
  std::vector<ProgramRule> ingress, egress;
  bool operator==(const ProgramRules&) const = default;
};

struct ProgramTier {
  std::string name;
  // Those that apply, in order. A direction without any is open to the next tier.
  std::vector<PolicyKey> ingress, egress;
  bool operator==(const ProgramTier&) const = default;
};

struct ProgramWorkload {
  WorkloadEndpoint endpoint;
  std::vector<ProgramTier> tiers;
  bool operator==(const ProgramWorkload&) const = default;
};

struct ProgramHostEndpoint {
  HostEndpoint endpoint;
  std::vector<ProgramTier> untracked, pre_dnat, forward, normal;
  bool operator==(const ProgramHostEndpoint&) const = default;
};

// How traffic to a destination leaves this node.
struct ProgramRoute {
  enum class Kind : uint8_t {
    local_workload,   // through the workload's interface
    local_block,      // ours, but not in use: unreachable
    remote_workload,  // through `next_hop`, directly or in a tunnel
    remote_host,
    pool,  // no route: tells NAT outgoing what is inside
  };
  Prefix destination;
  Kind kind = Kind::remote_workload;
  std::string node;
  std::optional<IPAddress> next_hop;  // the remote node's address
  bool same_subnet = false;           // of us and next_hop: no encapsulation under cross_subnet
  Encapsulation vxlan = Encapsulation::never;
  Encapsulation ipip = Encapsulation::never;
  bool nat_outgoing = false;
  std::string interface_name;  // local_workload
  bool operator==(const ProgramRoute&) const = default;
};

// A remote end of our VXLAN device.
struct ProgramTunnel {
  std::string node;
  IPAddress node_address;
  IPAddress tunnel_address;
  std::string tunnel_mac;
  bool operator==(const ProgramTunnel&) const = default;
};

struct SetUpdate {  // the whole set
  std::string id;
  SetType type = SetType::nets;
  std::set<SetMember> members;
};
struct SetDelta {
  std::string id;
  std::vector<SetMember> added, removed;
};
struct SetRemove {
  std::string id;
};
struct PolicyUpdate {
  PolicyKey key;
  std::shared_ptr<const ProgramRules> rules;
};
struct PolicyRemove {
  PolicyKey key;
};
// A profile that endpoints list but the model does not have comes with no rules.
struct ProfileUpdate {
  std::string name;
  std::shared_ptr<const ProgramRules> rules;
};
struct ProfileRemove {
  std::string name;
};
struct WorkloadUpdate {
  ProgramWorkload workload;
};
struct WorkloadRemove {
  WorkloadKey key;
};
struct HostEndpointUpdate {
  ProgramHostEndpoint endpoint;
};
struct HostEndpointRemove {
  HostEndpointKey key;
};
struct RouteUpdate {
  ProgramRoute route;
};
struct RouteRemove {
  Prefix destination;
};
struct TunnelUpdate {
  ProgramTunnel tunnel;
};
struct TunnelRemove {
  std::string node;
  IPFamily family = IPFamily::v4;
};
struct PoolUpdate {
  IPPool pool;
};
struct PoolRemove {
  std::string name;
};
struct HostUpdate {
  Host host;
};
struct HostRemove {
  std::string name;
};
struct InSync {};

using Delta =
    std::variant<SetUpdate, SetDelta, SetRemove, PolicyUpdate, PolicyRemove, ProfileUpdate,
                 ProfileRemove, WorkloadUpdate, WorkloadRemove, HostEndpointUpdate,
                 HostEndpointRemove, RouteUpdate, RouteRemove, TunnelUpdate, TunnelRemove,
                 PoolUpdate, PoolRemove, HostUpdate, HostRemove, InSync>;

}  // namespace margay::policy
