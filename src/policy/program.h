#pragma once

// What one node enforces, normalised for compilers: selectors have become IP sets, order has
// become lists, and what several claim has one owner. Every data plane compiles this and nothing
// else, and asks nothing more of it: an interface and an address belong to one workload at most, an
// interface is governed by one host endpoint at most, a frontend belongs to one service, and a
// profile's rules never pass. It arrives as deltas, in dependency order: a set before the rule that
// names it, a policy before the endpoint that lists it, and the reverse for removals. Deltas are
// idempotent values; `InSync` comes once, after the first complete state.

#include <boost/container/flat_set.hpp>
#include <chrono>
#include <memory>
#include <optional>
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

// In order, each once; as small as a list.
using SetMembers =
    boost::container::flat_set<SetMember, std::less<SetMember>, std::vector<SetMember>>;

enum class SetType : uint8_t {
  nets,         // CIDRs and addresses, of both families
  named_ports,  // (address, protocol, port)
};

// A rule with every reference resolved to sets by id. All that is set must match. Its conditions
// are explicit: `family` is set when nets or ICMP types imply it, nets of length 0 are left out for
// that, and `never_matches` is set when no packet of any data plane can match
// (policy/rule_scope.h).
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
  // At the end of a direction that has policies: deny, or pass to the next tier. In the stages
  // before the normal one that have no end (untracked, pre-DNAT) it is pass, whatever the tier.
  Action default_action = Action::deny;
  bool operator==(const ProgramTier&) const = default;
};

// No two have the same interface, address or floating IP: what another owns is left out here and
// told in an Unprogrammed.
struct ProgramWorkload {
  WorkloadEndpoint endpoint;
  std::vector<ProgramTier> tiers;
  bool operator==(const ProgramWorkload&) const = default;
};

// One that governs something; the others are told as Unprogrammed.
struct ProgramHostEndpoint {
  HostEndpoint endpoint;
  // The interfaces that it governs, in order. One that the endpoint names may not be there yet.
  std::vector<std::string> interfaces;
  // It is the one for `*`: every other interface of the host, known here or not, and traffic
  // between local workloads and the host's processes. `untracked` is then empty.
  bool every_other_interface = false;
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

// A way to reach a service.
struct ProgramFrontend {
  enum class Kind : uint8_t { cluster_ip, external_ip, load_balancer_ip, node_port };
  Kind kind = Kind::cluster_ip;
  std::optional<IPAddress> address;  // unset for node_port: any of the host's own, of the family
  uint16_t port = 0;
  bool local_only = false;  // takes `local_backends`, and drops when there is none
  auto operator<=>(const ProgramFrontend&) const = default;
};

struct ProgramBackend {
  IPAddress address;
  uint16_t port = 0;
  bool is_local = false;  // on this node
  auto operator<=>(const ProgramBackend&) const = default;
};

// One port of a service in one family. Policy is decided on the backend.
struct ProgramServicePort {
  std::string name;
  IPFamily family = IPFamily::v4;
  uint8_t protocol = 0;
  std::vector<ProgramFrontend> frontends;  // in order
  // Those that new flows may be sent to, in order; without any, flows are rejected. Every node
  // that is in the same zone has the same.
  std::vector<ProgramBackend> backends;
  std::vector<ProgramBackend> local_backends;
  bool operator==(const ProgramServicePort&) const = default;
};

struct ProgramService {
  ServiceKey key;
  std::vector<ProgramServicePort> ports;                // by place in the service, then family
  std::optional<std::chrono::seconds> client_affinity;  // a client keeps its backend for so long
  std::vector<Prefix> source_ranges;  // who may use load balancer IPs; empty: everyone
  bool operator==(const ProgramService&) const = default;
};

// What is of this node but is not programmed as written, since another has what it claims or there
// is nothing to programme it on. Not for data planes: for status, logs and metrics.
struct Unprogrammed {
  using Key = std::variant<WorkloadKey, HostEndpointKey, ServiceKey, PolicyKey>;
  Key key;
  bool partly = false;  // the rest of it is programmed
  std::string reason;   // "interface cali1 is that of k8s/shop/web/eth0"
  bool operator==(const Unprogrammed&) const = default;
};

struct SetUpdate {  // the whole set
  std::string id;
  SetType type = SetType::nets;
  SetMembers members;
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
struct ServiceUpdate {
  ProgramService service;
};
struct ServiceRemove {
  ServiceKey key;
};
struct UnprogrammedUpdate {
  Unprogrammed unprogrammed;
};
struct UnprogrammedRemove {  // it is programmed as written, or gone
  Unprogrammed::Key key;
};
struct InSync {};

using Delta =
    std::variant<SetUpdate, SetDelta, SetRemove, PolicyUpdate, PolicyRemove, ProfileUpdate,
                 ProfileRemove, WorkloadUpdate, WorkloadRemove, HostEndpointUpdate,
                 HostEndpointRemove, RouteUpdate, RouteRemove, TunnelUpdate, TunnelRemove,
                 PoolUpdate, PoolRemove, HostUpdate, HostRemove, ServiceUpdate, ServiceRemove,
                 UnprogrammedUpdate, UnprogrammedRemove, InSync>;

}  // namespace margay::policy
