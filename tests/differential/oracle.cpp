#include "differential/oracle.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "policy/protocol.h"
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

// The service that the packet is for, if any.
const Frontend* frontend_of(const Packet& packet) {
  if (!policy::takes_port_rules(packet.protocol)) return nullptr;
  const auto found = std::ranges::find_if(frontends(), [&](const Frontend& frontend) {
    return frontend.address == packet.destination && frontend.port == packet.destination_port;
  });
  return found == frontends().end() ? nullptr : &*found;
}

std::optional<Verdict> untracked_verdict(const policy::PassageDecision& decision) {
  for (const auto& said : decision.host)
    if (said.stage == policy::Stage::untracked && said.decision) return said.decision->verdict;
  return std::nullopt;
}

// The node has none to an endpoint that is down: what is denied anyway takes another way, and what
// its own processes send too.
bool has_no_route(const policy::Passage& passage) {
  return !passage.in && !passage.from && passage.to && !passage.to->admin_up;
}

Packet answer_to(Packet packet) {
  std::swap(packet.source, packet.destination);
  std::swap(packet.source_port, packet.destination_port);
  // Echo, timestamp (RFC 792), echo (RFC 4443), node information (RFC 4620).
  if (packet.protocol == policy::k_icmp) packet.icmp_type = packet.icmp_type == 8 ? 0 : 14;
  if (packet.protocol == policy::k_icmpv6)
    packet.icmp_type = static_cast<uint8_t>(packet.icmp_type + 1);
  return packet;
}

// Whether tracking takes an answer to a flow that it does not know for the first packet of one, and
// for no other's.
bool may_begin_with_its_answer(uint8_t protocol) {
  return protocol == policy::k_udp || protocol == policy::k_udplite;
}

std::string to_string(const policy::HostDecision& said) {
  constexpr std::array k_stages{"doNotTrack", "preDNAT", "forward", "normal"};
  return fmt::format("{} of host endpoint {} at {}, {}: {}",
                     said.direction == Direction::ingress ? "ingress" : "egress",
                     said.endpoint.name, said.interface,
                     said.stage ? k_stages[static_cast<size_t>(*said.stage)] : "failsafe",
                     said.decision ? to_string(*said.decision) : "goes on");
}

void add_steps(const std::string& of, const std::vector<policy::Step>& steps,
               Explanation& explanation) {
  for (const auto& step : steps)
    explanation.features.push_back(fmt::format("{} {} {} {} {} {}", of, step.tier,
                                               step.policy ? step.policy->id() : step.profile,
                                               step.rule.value_or(0), step.matched, step.mismatch));
}

}  // namespace

std::string way_of(const Expectation& expected) {
  const auto kind = [](const std::string& name) {
    return name == k_host ? "host" : name == k_uplink || name == k_side ? "outside" : "workload";
  };
  return fmt::format("{} to {}{}{}", kind(expected.injection.interface_name),
                     kind(expected.leaves_by), expected.passage.original ? ", translated" : "",
                     expected.injection.answers ? ", answer" : "");
}

Oracle::Oracle(const policy::Model& model, Options options)
    : model_(model), options_(std::move(options)), evaluator_(model) {
  for (const auto& [key, endpoint] : model.workloads) {
    for (const auto& address : endpoint.addresses) owners_[address].push_back(&endpoint);
    if (key.node == k_node && policy::WorkloadInterfaces().contains(endpoint.interface_name))
      interfaces_.try_emplace(endpoint.interface_name, &endpoint);
  }
  for (const auto& [name, endpoint] : interfaces_)
    if (!endpoint->addresses.empty()) endpoints_.push_back(endpoint);
}

std::optional<Oracle::Place> Oracle::place_of(const policy::IPAddress& address) const {
  const auto found = owners_.find(address);
  if (found == owners_.end()) {
    if (!options_.has_host) return Place{};
    if (is_of_the_host(address)) return Place{.name = k_host};
    return Place{.name = is_behind_the_side(address) ? k_side : k_uplink};
  }
  const auto& owners = found->second;
  const bool all_remote = std::ranges::none_of(
      owners, [&](const auto* endpoint) { return endpoint->key.node == k_node; });
  if (all_remote) return Place{};
  if (owners.size() > 1) return std::nullopt;
  const auto interface = interfaces_.find(owners.front()->interface_name);
  if (interface == interfaces_.end() || interface->second != owners.front()) return std::nullopt;
  return Place{owners.front(), owners.front()->interface_name};
}

std::optional<policy::HostInterface> Oracle::interface_at(const Place& place) const {
  if (place.endpoint || place.name == k_host) return std::nullopt;
  const auto known = model_.interfaces.find(place.name);
  return known == model_.interfaces.end()
             ? policy::HostInterface{.name = place.name, .addresses = {}}
             : known->second;
}

policy::Passage Oracle::passage(const Packet& packet, const Place& from, const Place& to) const {
  return {.node = k_node,
          .packet = packet,
          .in = interface_at(from),
          .from = from.endpoint,
          .out = interface_at(to),
          .to = to.endpoint};
}

policy::PassageDecision Oracle::judge(const Expectation& expected, bool with_steps) const {
  return policy::judge(evaluator_, model_, options_.settings, expected.passage, with_steps);
}

std::optional<Expectation> Oracle::expect(const Packet& packet) const {
  const auto from = place_of(packet.source);
  if (!from) return std::nullopt;
  auto as_sent = expect(packet, *from, nullptr);
  const auto* frontend = options_.has_host ? frontend_of(packet) : nullptr;
  // What doNotTrack allows is not translated.
  if (!frontend || (as_sent && as_sent->untracked)) return as_sent;
  auto translated = expect(packet, *from, frontend);
  return translated && translated->untracked == Verdict::allow ? std::nullopt : translated;
}

std::optional<Expectation> Oracle::expect(const Packet& sent, const Place& from,
                                          const Frontend* translated_by) const {
  Packet packet = sent;
  if (translated_by) {
    packet.destination = translated_by->backend;
    packet.destination_port = translated_by->backend_port;
  }
  const auto to = place_of(packet.destination), first_to = place_of(sent.destination);
  if (!to || !first_to || from.name == to->name) return std::nullopt;
  Expectation expected{
      .injection = {from.name, sent}, .leaves_by = to->name, .passage = passage(packet, from, *to)};
  if (translated_by)
    expected.passage.original = {.destination = sent.destination,
                                 .port = sent.destination_port,
                                 .is_the_hosts = first_to->name == k_host,
                                 .out = interface_at(*first_to)};
  if (is_tunnel_packet(packet)) {
    // The nodes' own tunnels are let through, or not, whatever policy says.
    if (!from.endpoint && (from.name == k_host || to->name == k_host)) return std::nullopt;
    if (from.endpoint) {
      expected.decided_before_policy = "tunnel packet from a workload";
      return expected;
    }
  }
  if (has_no_route(expected.passage)) return std::nullopt;
  const auto decision = judge(expected);
  expected.verdict = decision.verdict;
  expected.untracked = untracked_verdict(decision);
  return expected;
}

std::optional<Expectation> Oracle::expect_spoofed(const Packet& packet,
                                                  const WorkloadEndpoint& by) const {
  const auto from = place_of(packet.source), to = place_of(packet.destination);
  const std::string& name = by.interface_name;
  if (!from || !to || from->name == name || to->name == name) return std::nullopt;
  return Expectation{.injection = {name, packet},
                     .leaves_by = to->name,
                     .passage = {.node = k_node, .packet = packet},
                     .decided_before_policy = "the source is not the sender's"};
}

std::optional<Expectation> Oracle::expect_answer(const Expectation& first) const {
  if (first.decided_before_policy) return std::nullopt;
  const bool may_be_masqueraded = std::ranges::any_of(model_.pools, [&](const auto& entry) {
    const policy::IPPool& pool = entry.second;
    return pool.nat_outgoing && pool.cidr.contains(first.passage.packet.source);
  });
  const auto from = place_of(first.passage.packet.destination);
  const auto to = place_of(first.passage.packet.source);
  if (may_be_masqueraded || !from || !to) return std::nullopt;
  const auto packet = answer_to(first.passage.packet);
  if (is_tunnel_packet(packet)) return std::nullopt;
  Expectation expected{.injection = {from->name, packet},
                       .leaves_by = to->name,
                       .passage = passage(packet, *from, *to)};
  if (has_no_route(expected.passage)) return std::nullopt;
  const auto decision = judge(expected);
  expected.untracked = untracked_verdict(decision);
  const bool is_of_a_flow = first.verdict == Verdict::allow && !first.untracked;
  if (expected.untracked || !is_of_a_flow) {
    if (!expected.untracked && !may_begin_with_its_answer(packet.protocol)) return std::nullopt;
    expected.verdict = decision.verdict;
    return expected;
  }
  expected.decided_before_policy = "of a flow that was allowed";
  if (from->endpoint == nullptr || from->endpoint->admin_up) expected.verdict = Verdict::allow;
  return expected;
}

Explanation Oracle::explain(const Expectation& expected) const {
  Explanation explanation;
  const char* verdict = expected.verdict == Verdict::allow ? "allow" : "deny";
  if (expected.decided_before_policy) {
    explanation.why = fmt::format("{}: {}", verdict, expected.decided_before_policy);
    explanation.features.emplace_back(expected.decided_before_policy);
    return explanation;
  }
  const auto decision = judge(expected, true);
  std::vector<std::string> why;
  if (decision.egress) why.push_back("egress: " + to_string(*decision.egress));
  for (const auto& said : decision.host) why.push_back(to_string(said));
  if (decision.dropped_for_the_host) why.emplace_back("not for its host");
  if (decision.ingress) why.push_back("ingress: " + to_string(*decision.ingress));
  if (why.empty()) why.emplace_back("nobody is asked");
  explanation.features.push_back(
      fmt::format("{} {}", way_of(expected), expected.passage.packet.protocol));
  explanation.why = fmt::format("{}: {}", verdict, fmt::join(why, "; "));
  add_steps("egress", decision.egress_steps, explanation);
  if (decision.egress && decision.egress->verdict == Verdict::deny) return explanation;
  for (const auto& said : decision.host)
    add_steps(fmt::format("{} {} {}", said.endpoint.name, said.stage ? 1 + int(*said.stage) : 0,
                          said.direction == Direction::ingress),
              said.steps, explanation);
  add_steps("ingress", decision.ingress_steps, explanation);
  return explanation;
}

}  // namespace margay::differential
