// Kubernetes' NetworkPolicy (networking.k8s.io/v1) as one of ours.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>

#include "k8s/convert.h"
#include "k8s/field.h"
#include "k8s/names.h"
#include "selector/parser.h"

namespace margay::k8s {
namespace {

using api::kubernetes::LabelSelector;
using api::kubernetes::LabelSelectorRequirement;
using api::kubernetes::NetworkPolicyPeer;
using api::kubernetes::NetworkPolicyPort;
using api::kubernetes::NetworkPolicyRule;
using base::Result;
using policy::EntityMatch;
using policy::Policy;
using policy::Rule;
using selector::Selector;

constexpr double k_order = 1000;
constexpr size_t k_most_ports = 1 << 18;  // of all peers of a direction

// Kubernetes stores what it has once accepted, and once it accepted more.
bool check_label(const std::string& key, std::span<const std::string> values, const Field& field) {
  if (!selector::is_key(key)) {
    field.invalid(key, "is not the key of a label");
    return false;
  }
  const auto bad = std::ranges::find_if_not(values, selector::is_value);
  if (bad != values.end()) field.invalid(*bad, "is not the value of a label");
  return bad == values.end();
}

Selector read_requirement(const LabelSelectorRequirement& requirement, const Field& field) {
  const std::string& key = requirement.key;
  if (!check_label(key, requirement.values, field)) return {};
  if (requirement.op == "Exists") return Selector::has(key);
  if (requirement.op == "DoesNotExist") return !Selector::has(key);
  if (requirement.op != "In" && requirement.op != "NotIn") {
    (field / "operator").invalid(requirement.op, "must be In, NotIn, Exists or DoesNotExist");
    return {};
  }
  if (requirement.values.empty())
    (field / "values").invalid("", "must be specified when operator is In or NotIn");
  const Selector in = Selector::in(key, requirement.values);
  return requirement.op == "In" ? in : !in;
}

Selector read_label_selector(const LabelSelector& selector, const Field& field) {
  std::vector<Selector> read;
  for (const auto& [key, value] : selector.match_labels)
    if (check_label(key, {&value, 1}, field / "matchLabels"))
      read.push_back(Selector::equals(key, value));
  for (size_t i = 0; i < selector.match_expressions.size(); ++i)
    read.push_back(
        read_requirement(selector.match_expressions[i], (field / "matchExpressions")[i]));
  return Selector::all_of(read);
}

Selector read_pods(const std::optional<LabelSelector>& pods, const Field& field) {
  const Selector kubernetes =
      Selector::equals(std::string(k_orchestrator_label), std::string(k_kubernetes));
  return pods ? kubernetes && read_label_selector(*pods, field) : kubernetes;
}

// Which namespaces a peer's pods are in. {} is every namespace, which is not "anything".
Selector read_namespaces(const std::optional<LabelSelector>& namespaces, const std::string& own,
                         const Field& field) {
  if (!namespaces) return Selector::equals(std::string(k_namespace_label), own);
  const Selector read = read_label_selector(*namespaces, field);
  if (read.is_all()) return Selector::has(std::string(k_namespace_label));
  return read.with_key_prefix(k_namespace_prefix);
}

EntityMatch read_peer(const NetworkPolicyPeer& peer, const std::string& ns, const Field& field) {
  EntityMatch match;
  const bool selects = peer.pod_selector || peer.namespace_selector;
  if (peer.ip_block.has_value() == selects)
    field.invalid("", "must have either ipBlock, or podSelector or namespaceSelector or both");
  if (peer.ip_block) {
    const Field block = field / "ipBlock";
    if (const auto net = read_net(peer.ip_block->cidr, block / "cidr")) match.nets = {*net};
    match.not_nets = read_nets(peer.ip_block->except, block / "except");
  } else {
    match.selector = read_namespaces(peer.namespace_selector, ns, field / "namespaceSelector") &&
                     read_pods(peer.pod_selector, field / "podSelector");
  }
  return match;
}

// What a rule's ports say of one protocol.
struct ProtocolPorts {
  bool all = false;
  Ports ports;
};

void read_policy_port(const NetworkPolicyPort& port, const Field& field, ProtocolPorts& ports) {
  if (!port.port) {
    ports.all = true;
    if (port.end_port) (field / "endPort").invalid(*port.end_port, "needs a port");
    return;
  }
  Ports read;
  read_port(*port.port, field / "port", read);
  if (port.end_port && read.ranges.empty()) {
    (field / "endPort").invalid(*port.end_port, "needs a numeric port");
  } else if (port.end_port) {
    const auto last = read_port_number(*port.end_port, field / "endPort");
    if (last && *last < read.ranges[0].first)
      (field / "endPort").invalid(*port.end_port, "must not be below port");
    read.ranges[0].last = last.value_or(read.ranges[0].last);
  }
  std::ranges::move(read.ranges, std::back_inserter(ports.ports.ranges));
  std::ranges::move(read.names, std::back_inserter(ports.ports.names));
}

// By protocol; nothing under no protocol: every protocol and port.
std::map<std::optional<uint8_t>, ProtocolPorts> read_all_ports(
    const std::vector<NetworkPolicyPort>& ports, const Field& field) {
  std::map<std::optional<uint8_t>, ProtocolPorts> read;
  if (ports.empty()) read[std::nullopt].all = true;
  for (size_t i = 0; i < ports.size(); ++i) {
    const std::string name = ports[i].protocol.value_or("TCP");
    if (name != "TCP" && name != "UDP" && name != "SCTP") {
      (field[i] / "protocol").invalid(name, "must be TCP, UDP or SCTP");
      continue;
    }
    const auto protocol = read_protocol(name, field[i] / "protocol");
    read_policy_port(ports[i], field[i], read[protocol]);
  }
  return read;
}

// One rule for each protocol and peer. Every one of them has all the ports, so that their product
// is bounded, for all rules of a policy together: `left` is what may still come.
std::vector<Rule> read_rule(const NetworkPolicyRule& rule, const std::string& ns,
                            policy::Direction direction, const Field& field, size_t& left) {
  const bool ingress = direction == policy::Direction::ingress;
  std::vector<EntityMatch> peers;
  peers.reserve(rule.peers.size());
  for (size_t i = 0; i < rule.peers.size(); ++i)
    peers.push_back(read_peer(rule.peers[i], ns, (field / (ingress ? "from" : "to"))[i]));
  if (peers.empty()) peers.emplace_back();

  std::vector<Rule> rules;
  for (auto& [protocol, ports] : read_all_ports(rule.ports, field / "ports")) {
    simplify(ports.ports);
    check_names(ports.ports, field / "ports");
    const size_t product = peers.size() * (ports.ports.ranges.size() + ports.ports.names.size());
    if (product > left) {
      (field / "ports").invalid("", "the policy's peers times their ports are too many");
      return {};
    }
    left -= product;
    for (const EntityMatch& peer : peers) {
      Rule& read = rules.emplace_back();
      read.protocol = protocol;
      (ingress ? read.source : read.destination) = peer;
      if (ports.all) continue;
      read.destination.ports = ports.ports.ranges;
      read.destination.named_ports = ports.ports.names;
    }
  }
  return rules;
}

// A rule that cannot be read is left out: it would only have allowed.
std::vector<Rule> read_rules(const std::vector<NetworkPolicyRule>& rules, const std::string& ns,
                             policy::Direction direction, Warnings& warnings,
                             std::vector<size_t>& origins) {
  const char* path = direction == policy::Direction::ingress ? "spec.ingress" : "spec.egress";
  std::vector<Rule> all;
  size_t left = k_most_ports;
  for (size_t i = 0; i < rules.size(); ++i) {
    Problems problems;
    std::vector<Rule> read =
        read_rule(rules[i], ns, direction, Field(fmt::format("{}[{}]", path, i), problems), left);
    for (const auto& problem : problems)
      warnings.push_back(problem.message() + " (the rule is left out until it is corrected)");
    if (!problems.empty()) continue;
    origins.insert(origins.end(), read.size(), i);
    std::ranges::move(read, std::back_inserter(all));
  }
  return all;
}

void read_types(const api::kubernetes::NetworkPolicy& object, const Field& field, Policy& policy) {
  policy.applies_ingress = object.policy_types.empty();
  // Kubernetes' default: an empty list of egress rules is none.
  policy.applies_egress =
      object.policy_types.empty() && object.egress.has_value() && !object.egress->empty();
  for (size_t i = 0; i < object.policy_types.size(); ++i) {
    if (object.policy_types[i] == "Ingress") {
      policy.applies_ingress = true;
    } else if (object.policy_types[i] == "Egress") {
      policy.applies_egress = true;
    } else {
      field[i].invalid(object.policy_types[i], "must be Ingress or Egress");
    }
  }
}

}  // namespace

Result<Policy> policy_of(const api::kubernetes::NetworkPolicy& object, Warnings& warnings,
                         RuleOrigins* origins) {
  const std::string& ns = object.metadata.ns;
  Problems problems;
  const Field spec("spec", problems);
  RuleOrigins found;
  Policy policy;
  policy.key = {.ns = ns, .name = kubernetes_policy(object.metadata.name)};
  policy.order = k_order;
  policy.selector = Selector::equals(std::string(k_namespace_label), ns) &&
                    read_pods(object.pod_selector, spec / "podSelector");
  read_types(object, spec / "policyTypes", policy);
  policy.ingress =
      read_rules(object.ingress, ns, policy::Direction::ingress, warnings, found.ingress);
  policy.egress = read_rules(object.egress.value_or(std::vector<NetworkPolicyRule>()), ns,
                             policy::Direction::egress, warnings, found.egress);
  if (!problems.empty()) return base::fail(std::move(problems));
  if (origins != nullptr) *origins = std::move(found);
  return policy;
}

}  // namespace margay::k8s
