#pragma once

// The policy model: what everything above converts to and everything below compiles from.
// Plain values. What they mean is written in docs/policy.md and run by policy/evaluate.h.

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/address.h"
#include "policy/service.h"
#include "selector/selector.h"

namespace margay::policy {

using base::IPAddress;
using base::IPFamily;
using base::Prefix;
using selector::Labels;
using selector::Selector;

enum class Direction : uint8_t { ingress, egress };
enum class Action : uint8_t { allow, deny, pass, log };

// IANA protocol numbers that rules know by name.
enum Protocol : uint8_t {
  k_icmp = 1,
  k_tcp = 6,
  k_udp = 17,
  k_icmpv6 = 58,
  k_sctp = 132,
  k_udplite = 136,
};

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;
  bool contains(uint16_t port) const { return first <= port && port <= last; }
  auto operator<=>(const PortRange&) const = default;
};

struct ICMPMatch {
  uint8_t type = 0;
  std::optional<uint8_t> code;
  bool operator==(const ICMPMatch&) const = default;
};

// One side of a rule. Every member that is set must match. Namespacing is already folded into the
// selector (docs/policy.md, "When a rule matches"), so nothing here depends on the policy's place.
struct EntityMatch {
  std::vector<Prefix> nets;              // in any of them; empty: not asked
  std::vector<Prefix> not_nets;          // in none of them
  std::optional<Selector> selector;      // belongs to an endpoint or set that satisfies it
  std::optional<Selector> not_selector;  // belongs to none that satisfies it
  std::vector<PortRange> ports;          // in any range, or a named port of the address
  std::vector<std::string> named_ports;
  std::vector<PortRange> not_ports;
  std::vector<std::string> not_named_ports;
  bool asks_ports() const { return !ports.empty() || !named_ports.empty(); }
  bool operator==(const EntityMatch&) const = default;
};

struct Rule {
  Action action = Action::allow;
  std::optional<IPFamily> family;
  std::optional<uint8_t> protocol;
  std::optional<uint8_t> not_protocol;
  std::optional<ICMPMatch> icmp;
  std::optional<ICMPMatch> not_icmp;
  EntityMatch source;
  EntityMatch destination;
  bool has_http = false;  // application-layer match that no packet data plane can make
  // A rule that can match nothing keeps its place (and its number in `explain`): nets of a family
  // other than `family`, nets of both families, ...
  bool never_matches = false;
  bool operator==(const Rule&) const = default;
};

struct PolicyKey {
  std::string tier = "default";
  std::string ns;    // empty: global
  std::string name;  // without its tier
  // What users call it: "<namespace>/<name>", or "<name>" for a global policy, with "<tier>."
  // before the name in every tier but `default`.
  std::string id() const;
  // The name under which Calico stores it, "<namespace>/<tier>.<name>": breaks ties of order, as
  // bytes. Names from Kubernetes and OpenStack (knp.*, ossg.*) in tier `default` have it in them.
  std::string stored_id() const;
  auto operator<=>(const PolicyKey&) const = default;
};

struct Policy {
  PolicyKey key;
  std::optional<double> order;  // unset: last
  Selector selector;            // everything that says which endpoints, folded into one
  bool applies_ingress = true;
  bool applies_egress = false;
  std::vector<Rule> ingress;
  std::vector<Rule> egress;
  bool do_not_track = false;
  bool pre_dnat = false;
  bool apply_on_forward = false;
  bool operator==(const Policy&) const = default;
};

// What a policy would be, or that it would be gone. Nothing that is enforced comes of it: data
// planes do not see it, and the evaluator only in a model that with_staged() made.
struct StagedPolicy {
  PolicyKey key;                 // of the policy that it would change
  std::optional<Policy> policy;  // unset: it would be deleted
  bool operator==(const StagedPolicy&) const = default;
};

struct Tier {
  std::string name;
  std::optional<double> order;           // unset: last
  Action default_action = Action::deny;  // when no rule of the tier decided: deny or pass
  bool operator==(const Tier&) const = default;
};

struct Profile {
  std::string name;
  Labels labels_to_apply;
  std::vector<Rule> ingress;
  std::vector<Rule> egress;
  bool operator==(const Profile&) const = default;
};

struct NamedPort {
  std::string name;
  uint8_t protocol = k_tcp;
  uint16_t port = 0;
  auto operator<=>(const NamedPort&) const = default;
};

struct FloatingIP {
  IPAddress internal;
  IPAddress external;
  auto operator<=>(const FloatingIP&) const = default;
};

struct WorkloadKey {
  std::string node;
  std::string orchestrator;  // "k8s"
  std::string workload;      // "<namespace>/<pod>" for Kubernetes
  std::string endpoint;      // "eth0"
  std::string id() const { return node + "/" + orchestrator + "/" + workload + "/" + endpoint; }
  auto operator<=>(const WorkloadKey&) const = default;
};

struct WorkloadEndpoint {
  WorkloadKey key;
  std::string ns;
  std::string interface_name;        // the host side's; empty while not yet known
  std::string mac;                   // the workload side's, if known
  std::vector<IPAddress> addresses;  // empty once the workload is finished
  Labels labels;                     // its own; effective ones add those of its profiles
  std::vector<std::string> profiles;
  std::vector<NamedPort> ports;
  std::vector<FloatingIP> floating_ips;
  bool admin_up = true;
  bool operator==(const WorkloadEndpoint&) const = default;
};

struct HostEndpointKey {
  std::string node;
  std::string name;
  std::string id() const { return node + "/" + name; }
  auto operator<=>(const HostEndpointKey&) const = default;
};

struct HostEndpoint {
  HostEndpointKey key;
  std::string interface_name;  // "", "*" or a name
  std::vector<IPAddress> expected_addresses;
  Labels labels;
  std::vector<std::string> profiles;
  std::vector<NamedPort> ports;
  bool operator==(const HostEndpoint&) const = default;
};

struct NetworkSetKey {
  std::string ns;  // empty: global
  std::string name;
  std::string id() const { return ns.empty() ? name : ns + "/" + name; }
  auto operator<=>(const NetworkSetKey&) const = default;
};

struct NetworkSet {
  NetworkSetKey key;
  Labels labels;                      // with projectcalico.org/namespace when namespaced
  std::vector<std::string> profiles;  // kns.<namespace>, for namespace selectors
  std::vector<Prefix> nets;
  bool operator==(const NetworkSet&) const = default;
};

enum class Encapsulation : uint8_t { never, always, cross_subnet };

struct IPPool {
  std::string name;
  Prefix cidr;
  bool nat_outgoing = false;
  bool disabled = false;
  Encapsulation vxlan = Encapsulation::never;
  Encapsulation ipip = Encapsulation::never;
  bool operator==(const IPPool&) const = default;
};

// A node, as far as routing to it goes.
struct Host {
  std::string name;
  std::optional<IPAddress> v4, v6;
  std::optional<Prefix> v4_subnet, v6_subnet;  // of the address's link: tells cross-subnet
  std::optional<IPAddress> vxlan_v4, vxlan_v6;
  std::string vxlan_mac, vxlan_mac_v6;
  std::string zone;  // topology.kubernetes.io/zone; empty: none
  bool operator==(const Host&) const = default;
};

// A block of addresses that belongs to a node, and the single addresses in it that do not.
struct Block {
  Prefix cidr;
  std::string node;                           // empty: no affinity
  std::map<IPAddress, std::string> borrowed;  // address -> the node that uses it
  bool operator==(const Block&) const = default;
};

// An interface of the host itself, not of a workload, on the node whose view the model is: found
// out there, by the platform, and not in the datastore.
struct HostInterface {
  std::string name;
  std::vector<IPAddress> addresses;  // in order
  bool operator==(const HostInterface&) const = default;
};

// One change: the value, or nothing for "gone". Keys that a value repeats must agree with it.
template <typename K, typename V>
struct Change {
  K key;
  std::optional<V> value;
  bool operator==(const Change&) const = default;
};

using ModelChange =
    std::variant<Change<std::string, Tier>, Change<PolicyKey, Policy>, Change<std::string, Profile>,
                 Change<WorkloadKey, WorkloadEndpoint>, Change<HostEndpointKey, HostEndpoint>,
                 Change<NetworkSetKey, NetworkSet>, Change<std::string, IPPool>,
                 Change<std::string, Host>, Change<Prefix, Block>,
                 Change<std::string, HostInterface>, Change<ServiceKey, Service>,
                 Change<EndpointSliceKey, EndpointSlice>, Change<PolicyKey, StagedPolicy>>;

// The whole model as values: what the evaluator reads, and what a graph's input adds up to.
struct Model {
  std::map<std::string, Tier> tiers;
  std::map<PolicyKey, Policy> policies;
  std::map<std::string, Profile> profiles;
  std::map<WorkloadKey, WorkloadEndpoint> workloads;
  std::map<HostEndpointKey, HostEndpoint> host_endpoints;
  std::map<NetworkSetKey, NetworkSet> network_sets;
  std::map<std::string, IPPool> pools;
  std::map<std::string, Host> hosts;
  std::map<Prefix, Block> blocks;
  std::map<std::string, HostInterface> interfaces;  // of one node
  std::map<ServiceKey, Service> services;
  std::map<EndpointSliceKey, EndpointSlice> endpoint_slices;
  std::map<PolicyKey, StagedPolicy> staged_policies;

  void apply(const ModelChange& change);
  // The changes that make this model out of an empty one.
  std::vector<ModelChange> changes() const;
};

// The model as it would be if every staged policy were enforced.
Model with_staged(Model model);

// Allows everything both ways. It exists whether or not the model has it.
inline constexpr std::string_view k_default_allow_profile = "projectcalico-default-allow";
// That profile; null for every other name.
const Profile* built_in_profile(std::string_view name);
// The model's profile of this name, else the built-in one, else null.
const Profile* find_profile(const Model& model, const std::string& name);

}  // namespace margay::policy
