#include "differential/oracle.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/workload_interfaces.h"

namespace margay::differential {
namespace {

using policy::Decision;
using policy::Direction;
using policy::Packet;
using policy::Verdict;
using policy::WorkloadEndpoint;

constexpr uint8_t k_ipip = 4;
constexpr uint16_t k_vxlan_port = 4789;

std::string to_string(const Decision& decision) {
  const char* verdict = decision.verdict == Verdict::allow ? "allow" : "deny";
  switch (decision.by) {
    case Decision::By::policy_rule:
      return fmt::format("{} by rule {} of policy {} in tier {}", verdict, decision.rule,
                         decision.policy->id(), decision.tier);
    case Decision::By::end_of_tier:
      return fmt::format("{} at the end of tier {}", verdict, decision.tier);
    case Decision::By::profile_rule:
      return fmt::format("{} by rule {} of profile {}", verdict, decision.rule, decision.profile);
    case Decision::By::no_profile_matched:
      return fmt::format("{}: no profile matched", verdict);
    case Decision::By::endpoint_down:
      return fmt::format("{}: endpoint down", verdict);
  }
  return verdict;
}

// Tunnel packets of a workload's own making are dropped before its policy is asked.
bool is_tunnel_packet(const Packet& packet) {
  return packet.protocol == k_ipip ||
         (packet.protocol == policy::k_udp && packet.destination_port == k_vxlan_port);
}

}  // namespace

Oracle::Oracle(const policy::Model& model, std::string node)
    : node_(std::move(node)), evaluator_(model) {
  for (const auto& [key, endpoint] : model.workloads) {
    for (const auto& address : endpoint.addresses) owners_[address].push_back(&endpoint);
    if (key.node == node_ && policy::WorkloadInterfaces().contains(endpoint.interface_name))
      interfaces_.try_emplace(endpoint.interface_name, &endpoint);
  }
  for (const auto& [name, endpoint] : interfaces_)
    if (!endpoint->addresses.empty()) endpoints_.push_back(endpoint);
}

std::optional<Oracle::Place> Oracle::place_of(const policy::IPAddress& address) const {
  const auto found = owners_.find(address);
  if (found == owners_.end()) return Place{};
  const auto& owners = found->second;
  const bool all_remote = std::ranges::none_of(
      owners, [&](const auto* endpoint) { return endpoint->key.node == node_; });
  if (all_remote) return Place{};
  if (owners.size() > 1) return std::nullopt;
  const auto interface = interfaces_.find(owners.front()->interface_name);
  if (interface == interfaces_.end() || interface->second != owners.front()) return std::nullopt;
  return Place{owners.front(), owners.front()->interface_name};
}

std::optional<Expectation> Oracle::expect(const Packet& packet) const {
  const auto from = place_of(packet.source), to = place_of(packet.destination);
  if (!from || !to || from->interface_name == to->interface_name) return std::nullopt;
  Expectation expected{.injection = {from->interface_name, packet},
                       .leaves_by = to->interface_name,
                       .verdict = Verdict::deny};
  if (from->endpoint && is_tunnel_packet(packet)) {
    expected.denied_before_policy = "tunnel packet from a workload";
    return expected;
  }
  expected.from = from->endpoint;
  expected.to = to->endpoint;
  const auto allows = [&](const WorkloadEndpoint* endpoint, Direction direction) {
    return !endpoint || evaluator_.evaluate(*endpoint, direction, packet).verdict == Verdict::allow;
  };
  if (allows(expected.from, Direction::egress) && allows(expected.to, Direction::ingress))
    expected.verdict = Verdict::allow;
  return expected;
}

std::optional<Expectation> Oracle::expect_spoofed(const Packet& packet,
                                                  const WorkloadEndpoint& by) const {
  const auto from = place_of(packet.source), to = place_of(packet.destination);
  const std::string& name = by.interface_name;
  if (!from || !to || from->interface_name == name || to->interface_name == name)
    return std::nullopt;
  return Expectation{.injection = {name, packet},
                     .leaves_by = to->interface_name,
                     .denied_before_policy = "the source is not the sender's"};
}

Explanation Oracle::explain(const Expectation& expected) const {
  Explanation explanation;
  if (expected.denied_before_policy) {
    explanation.why = fmt::format("deny: {}", expected.denied_before_policy);
    explanation.features.emplace_back(expected.denied_before_policy);
  }
  const Packet& packet = expected.injection.packet;
  if (expected.from) explain(*expected.from, Direction::egress, packet, explanation);
  if (expected.to) explain(*expected.to, Direction::ingress, packet, explanation);
  return explanation;
}

void Oracle::explain(const WorkloadEndpoint& endpoint, Direction direction, const Packet& packet,
                     Explanation& explanation) const {
  const char* side = direction == Direction::ingress ? "ingress" : "egress";
  std::vector<policy::Step> steps;
  const auto decision = evaluator_.evaluate(endpoint, direction, packet, &steps);
  const bool gets_here = !explanation.why.starts_with("egress: deny");
  explanation.why +=
      fmt::format("{}{}: {}", explanation.why.empty() ? "" : "; ", side, to_string(decision));
  if (!gets_here) return;
  for (const auto& step : steps)
    explanation.features.push_back(fmt::format("{} {} {} {} {} {}", side, step.tier,
                                               step.policy ? step.policy->id() : step.profile,
                                               step.rule.value_or(0), step.matched, step.mismatch));
}

}  // namespace margay::differential
