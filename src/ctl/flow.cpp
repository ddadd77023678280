#include "ctl/flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

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
using policy::IPAddress;
using policy::IPFamily;
using policy::is_icmp;
using policy::Packet;
using policy::protocol_name;
using policy::Verdict;

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

Verdict Answer::verdict() const {
  const auto denies = [](const std::optional<Decision>& decision) {
    return decision && decision->verdict == Verdict::deny;
  };
  return denies(egress) || denies(ingress) ? Verdict::deny : Verdict::allow;
}

Result<FlowJudge::Party> FlowJudge::find(const std::string& who) const {
  if (const auto address = IPAddress::parse(who)) {
    const auto* endpoint = evaluator_.endpoint_of(*address);
    return Party{endpoint ? endpoint->key.workload : "", {*address}, endpoint};
  }
  if (who.find('/') == who.npos)
    return fail(ErrorCode::invalid,
                fmt::format("\"{}\" is neither an IP address nor <namespace>/<pod>", who));
  if (const auto* endpoint = cluster_.find_workload(who)) {
    if (endpoint->addresses.empty() && cluster_.is_finished(who))
      return fail(ErrorCode::invalid, fmt::format("pod {} has no address: it has finished", who));
    if (endpoint->addresses.empty())
      return fail(ErrorCode::unavailable,
                  fmt::format("pod {} has no address yet: it is still starting", who));
    return Party{who, endpoint->addresses, endpoint};
  }
  auto addresses = cluster_.host_network_addresses(who);
  if (addresses.empty()) return fail(ErrorCode::not_found, "there is no pod " + who);
  return Party{who, std::move(addresses), nullptr};
}

Result<Answer> FlowJudge::judge(const Flow& flow, bool with_steps) const {
  MARGAY_CHECK(check_fields(flow));
  auto from = find(flow.from);
  if (!from) return fail(std::move(from).error().wrap("from"));
  auto to = find(flow.to);
  if (!to) return fail(std::move(to).error().wrap("to"));

  Answer answer;
  bool reachable = false;
  const std::vector<IPFamily> families = families_for(flow);
  for (const IPFamily family : families) {
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
  if (answer.from.endpoint)
    answer.egress = evaluator_.evaluate(*answer.from.endpoint, Direction::egress, answer.packet,
                                        with_steps ? &answer.egress_steps : nullptr);
  if (answer.to.endpoint)
    answer.ingress = evaluator_.evaluate(*answer.to.endpoint, Direction::ingress, answer.packet,
                                         with_steps ? &answer.ingress_steps : nullptr);
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
  return side;
}

}  // namespace margay::ctl
