#include "ctl/flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "k8s/field.h"
#include "policy/protocol.h"

namespace margay::ctl {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using policy::Decision;
using policy::Direction;
using policy::has_ports;
using policy::HostInterface;
using policy::IPAddress;
using policy::IPFamily;
using policy::is_icmp;
using policy::Packet;
using policy::Passage;
using policy::protocol_name;
using policy::Verdict;

// How an end that is a node itself is named, and not a pod.
constexpr std::string_view k_node = "node/";
// A port that clients use when nobody says which: IANA's dynamic range begins here.
constexpr uint16_t k_client_port = 49152;
constexpr uint8_t k_echo_request = 8;
constexpr uint8_t k_echo_request_v6 = 128;

std::string version(IPFamily family) { return family == IPFamily::v4 ? "IPv4" : "IPv6"; }

const IPAddress* of_family(const std::vector<IPAddress>& addresses, IPFamily family) {
  const auto found = std::ranges::find(addresses, family, &IPAddress::family);
  return found == addresses.end() ? nullptr : &*found;
}

// The families to try: the one asked for, else the protocol's own first.
std::vector<IPFamily> families_for(const Flow& flow) {
  if (flow.family) return {*flow.family};
  if (flow.protocol == policy::k_icmpv6) return {IPFamily::v6, IPFamily::v4};
  return {IPFamily::v4, IPFamily::v6};
}

Result<> check_fields(const Flow& flow) {
  if (has_ports(flow.protocol)) {
    if (!flow.port) return fail(ErrorCode::invalid, protocol_name(flow.protocol) + " needs a port");
    if (flow.icmp_type || flow.icmp_code)
      return fail(ErrorCode::invalid, protocol_name(flow.protocol) + " has no ICMP type or code");
  } else if (flow.port || flow.source_port) {
    return fail(ErrorCode::invalid, protocol_name(flow.protocol) + " has no ports");
  }
  return {};
}

Packet packet_of(const Flow& flow, const IPAddress& source, const IPAddress& destination) {
  Packet packet{.source = source, .destination = destination, .protocol = flow.protocol};
  if (has_ports(flow.protocol)) {
    packet.source_port = flow.source_port.value_or(k_client_port);
    packet.destination_port = flow.port.value_or(0);
  }
  if (is_icmp(flow.protocol)) {
    packet.icmp_type = flow.icmp_type.value_or(flow.protocol == policy::k_icmp ? k_echo_request
                                                                               : k_echo_request_v6);
    packet.icmp_code = flow.icmp_code.value_or(0);
  }
  return packet;
}

}  // namespace

Verdict Outcome::verdict() const {
  const auto denies = [](const std::optional<Decision>& decision) {
    return decision && decision->verdict == Verdict::deny;
  };
  const bool is_denied =
      denies(egress) || denies(ingress) || dropped_for_the_host ||
      std::ranges::any_of(host, [&](const auto& said) { return denies(said.decision); });
  return is_denied ? Verdict::deny : Verdict::allow;
}

FlowJudge::FlowJudge(const Cluster& cluster) : cluster_(cluster), evaluator_(cluster.model()) {
  if (cluster.model().staged_policies.empty()) return;
  staged_model_ = std::make_unique<const policy::Model>(policy::with_staged(cluster.model()));
  staged_evaluator_.emplace(*staged_model_);
}

// ---- who is at an end ---------------------------------------------------------------------------

Result<FlowJudge::Party> FlowJudge::find(const std::string& who,
                                         const std::optional<IPAddress>& address) const {
  if (who.starts_with(k_node)) return find_node(who.substr(k_node.size()), address);
  if (address)
    return fail(ErrorCode::invalid, "an address can be given only of an end that is node/<name>");
  if (const auto own = IPAddress::parse(who)) return find_address(*own);
  if (who.find('/') == who.npos)
    return fail(
        ErrorCode::invalid,
        fmt::format("\"{}\" is neither an IP address nor <namespace>/<pod> nor node/<name>", who));
  if (const auto* endpoint = cluster_.find_workload(who)) {
    if (endpoint->addresses.empty() && cluster_.is_finished(who))
      return fail(ErrorCode::invalid, fmt::format("pod {} has no address: it has finished", who));
    if (endpoint->addresses.empty())
      return fail(ErrorCode::unavailable,
                  fmt::format("pod {} has no address yet: it is still starting", who));
    return Party{who, endpoint->addresses, endpoint, endpoint->key.node};
  }
  const auto* pod = cluster_.find_host_pod(who);
  if (pod == nullptr || pod->addresses.empty())
    return fail(ErrorCode::not_found, "there is no pod " + who);
  return Party{who, pod->addresses, nullptr, pod->node};
}

Result<FlowJudge::Party> FlowJudge::find_node(const std::string& node,
                                              const std::optional<IPAddress>& address) const {
  auto addresses = address ? std::vector{*address} : cluster_.node_addresses(node);
  if (addresses.empty())
    return fail(ErrorCode::not_found, fmt::format("no Node says the address of {}", node));
  return Party{std::string(k_node) + node, std::move(addresses), nullptr, node};
}

FlowJudge::Party FlowJudge::find_address(const IPAddress& address) const {
  if (const auto* endpoint = evaluator_.endpoint_of(address))
    return {endpoint->key.workload, {address}, endpoint, endpoint->key.node};
  if (const auto node = cluster_.node_with(address); !node.empty())
    return {std::string(k_node) + node, {address}, nullptr, node};
  return {"", {address}, nullptr, {}};
}

// ---- the nodes on the way -----------------------------------------------------------------------

Result<Passage::Original> FlowJudge::find_original(const Flow& flow, const Packet& packet) const {
  MARGAY_TRY(const auto party, find(flow.original->to, std::nullopt));
  const auto* address = of_family(party.addresses, packet.destination.family());
  if (address == nullptr)
    return fail(ErrorCode::invalid, flow.original->to + " has no address of the packet's family");
  const bool is_the_hosts = party.node.has_value() && party.endpoint == nullptr;
  return Passage::Original{*address, flow.original->port, is_the_hosts};
}

// Without a name it is the one that is known; of none or several, one that has the node's
// addresses.
HostInterface FlowJudge::interface_of(const Flow& flow, const std::string& node,
                                      const std::string& name) const {
  const auto known = flow.interfaces.find(node);
  if (!name.empty()) {
    HostInterface interface{.name = name};
    if (known == flow.interfaces.end()) return interface;
    if (const auto own = known->second.find(name); own != known->second.end())
      interface.addresses = own->second;
    return interface;
  }
  if (known != flow.interfaces.end() && known->second.size() == 1)
    return {known->second.begin()->first, known->second.begin()->second};
  return {"", cluster_.node_addresses(node)};
}

Result<std::vector<Passage>> FlowJudge::passages_of(const Flow& flow, const Party& from,
                                                    const Party& to, const Packet& packet) const {
  std::vector<Passage> passages;
  if (from.node && from.node == to.node) {
    if (!flow.via.empty())
      return fail(ErrorCode::invalid, "via: both ends are on node " + *from.node);
    passages.push_back(
        {.node = *from.node, .packet = packet, .from = from.endpoint, .to = to.endpoint});
  } else {
    const bool is_forwarded = !flow.via.empty();
    if (from.node)
      passages.push_back({.node = *from.node,
                          .packet = packet,
                          .from = from.endpoint,
                          .out = interface_of(flow, *from.node, is_forwarded ? "" : flow.out)});
    if (is_forwarded) {
      const auto node = flow.via.substr(k_node.size());
      if (!flow.via.starts_with(k_node) || node == from.node || node == to.node)
        return fail(ErrorCode::invalid,
                    "via: must be node/<name>, of a node that neither end is on");
      passages.push_back({.node = node,
                          .packet = packet,
                          .in = interface_of(flow, node, flow.in),
                          .out = interface_of(flow, node, flow.out)});
    }
    if (to.node)
      passages.push_back({.node = *to.node,
                          .packet = packet,
                          .in = interface_of(flow, *to.node, is_forwarded ? "" : flow.in),
                          .to = to.endpoint});
  }
  // It is translated where it comes first.
  if (flow.original && !passages.empty()) {
    auto original = find_original(flow, packet);
    if (!original) return fail(std::move(original).error().wrap("original"));
    passages.front().original = *std::move(original);
  }
  return passages;
}

Outcome FlowJudge::outcome_of(const policy::Evaluator& evaluator, const policy::Model& model,
                              const std::vector<Passage>& passages, bool with_steps) const {
  Outcome outcome;
  for (const auto& passage : passages) {
    const bool is_denied = outcome.verdict() == Verdict::deny;
    auto decision = policy::judge(evaluator, model, cluster_.host_traffic_settings(passage.node),
                                  passage, with_steps);
    if (decision.egress) outcome.egress = std::move(decision.egress);
    if (decision.ingress) outcome.ingress = std::move(decision.ingress);
    std::ranges::move(decision.egress_steps, std::back_inserter(outcome.egress_steps));
    std::ranges::move(decision.ingress_steps, std::back_inserter(outcome.ingress_steps));
    // A packet that was denied gets nowhere: no host endpoint after that is asked.
    if (is_denied) continue;
    std::ranges::move(decision.host, std::back_inserter(outcome.host));
    outcome.dropped_for_the_host |= decision.dropped_for_the_host;
  }
  return outcome;
}

Result<Answer> FlowJudge::judge(const Flow& flow, bool with_steps) const {
  MARGAY_CHECK(check_fields(flow));
  auto from = find(flow.from, flow.from_ip);
  if (!from) return fail(std::move(from).error().wrap("from"));
  auto to = find(flow.to, flow.to_ip);
  if (!to) return fail(std::move(to).error().wrap("to"));

  Answer answer;
  bool reachable = false;
  for (const IPFamily family : families_for(flow)) {
    const IPAddress* source = of_family(from->addresses, family);
    const IPAddress* destination = of_family(to->addresses, family);
    if (source == nullptr || destination == nullptr) continue;
    answer.from = {from->name, *source, from->endpoint};
    answer.to = {to->name, *destination, to->endpoint};
    answer.packet = packet_of(flow, *source, *destination);
    reachable = true;
    break;
  }
  if (!reachable)
    return fail(ErrorCode::invalid,
                fmt::format("{} and {} have no {} address in common", flow.from, flow.to,
                            flow.family ? version(*flow.family) : "kind of"));
  MARGAY_TRY(const auto passages, passages_of(flow, *from, *to, answer.packet));
  static_cast<Outcome&>(answer) = outcome_of(evaluator_, cluster_.model(), passages, with_steps);
  if (staged_evaluator_)
    answer.staged = outcome_of(*staged_evaluator_, *staged_model_, passages, with_steps);
  return answer;
}

Result<uint8_t> parse_protocol(std::string_view text) {
  k8s::Problems problems;
  const auto protocol =
      k8s::read_protocol(api::IntOrString(std::string(text)), k8s::Field("protocol", problems));
  if (!protocol) return fail(std::move(problems));
  return *protocol;
}

std::string_view to_string(Verdict verdict) { return verdict == Verdict::allow ? "allow" : "deny"; }

std::string_view to_string(policy::Action action) {
  static constexpr std::array<std::string_view, 4> k_names{"Allow", "Deny", "Pass", "Log"};
  return k_names[static_cast<size_t>(action)];
}

std::string_view to_string(Direction direction) {
  return direction == Direction::ingress ? "ingress" : "egress";
}

std::string_view stage_of(const policy::HostDecision& said) {
  static constexpr std::array<std::string_view, 4> k_names{"doNotTrack", "preDNAT", "forward",
                                                           "normal"};
  return said.stage ? k_names[static_cast<size_t>(*said.stage)] : "failsafe";
}

std::string decider(const Decision& decision) {
  if (decision.policy) return decision.policy->id();
  return decision.profile.empty() ? "" : "profile " + decision.profile;
}

boost::json::object to_json(const Cluster& cluster, Direction direction, const Decision& decision) {
  boost::json::object side;
  side["verdict"] = to_string(decision.verdict);
  const std::string who = decider(decision);
  if (who.empty()) {
    side["policy"] = nullptr;
  } else {
    side["policy"] = who;
  }
  if (decision.by == Decision::By::policy_rule && decision.policy) {
    side["rule"] = cluster.rule_index(*decision.policy, direction, decision.rule);
  } else if (decision.by == Decision::By::profile_rule) {
    side["rule"] = decision.rule;
  } else {
    side["rule"] = nullptr;
  }
  if (decision.tier.empty()) {
    side["tier"] = nullptr;
  } else {
    side["tier"] = decision.tier;
  }
  return side;
}

boost::json::object to_json(const Cluster& cluster, const policy::HostDecision& said) {
  boost::json::object out{{"node", said.endpoint.node},
                          {"interface", nullptr},
                          {"endpoint", said.endpoint.name},
                          {"direction", to_string(said.direction)},
                          {"stage", stage_of(said)},
                          {"verdict", said.stage ? "pass" : "allow"},
                          {"policy", nullptr},
                          {"rule", nullptr},
                          {"tier", nullptr}};
  if (!said.interface.empty()) out["interface"] = said.interface;
  if (said.decision)
    for (auto& [name, value] : to_json(cluster, said.direction, *said.decision))
      out[name] = std::move(value);
  return out;
}

}  // namespace margay::ctl
