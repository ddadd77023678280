#include "differential/packet_source.h"

#include <algorithm>
#include <array>

#include "policy/protocol.h"

namespace margay::differential {
namespace {

using policy::Direction;
using policy::has_ports;
using policy::is_icmp;
using policy::Packet;

constexpr uint8_t k_node_information_query = 139;  // RFC 4620 section 4
constexpr size_t k_one_spoofed_in = 30;
constexpr size_t k_one_tunnelled_in = 30;

// What a workload would send to speak for another node: IPIP, or VXLAN.
Packet as_tunnel_packet(Packet packet, bool ipip) {
  packet.protocol = ipip ? 4 : policy::k_udp;
  packet.source_port = ipip ? 0 : 40000;
  packet.destination_port = ipip ? 0 : 4789;
  packet.icmp_type = packet.icmp_code = 0;
  return packet;
}

}  // namespace

void PacketSource::start_batch() {
  flows_.clear();
  flows_of_anyone_.clear();
  portless_.clear();
}

std::optional<Expectation> PacketSource::next() {
  auto chosen = candidates_ == 1 ? candidate() : least_familiar();
  if (!chosen || !is_new_flow(*chosen)) return std::nullopt;
  remember_flow(chosen->injection.packet);
  remember_flow(chosen->passage.packet);
  return chosen;
}

std::optional<Expectation> PacketSource::least_familiar() {
  std::optional<Expectation> best;
  std::vector<std::string> features;
  size_t least = 0;
  for (size_t i = 0; i < candidates_; ++i) {
    auto made = candidate();
    if (!made || !is_new_flow(*made)) continue;
    auto met = oracle_.explain(*made).features;
    const size_t seen = familiarity(met);
    if (best && seen >= least) continue;
    least = seen;
    best = std::move(made);
    features = std::move(met);
  }
  for (const auto& feature : features) ++seen_[feature];
  return best;
}

size_t PacketSource::familiarity(const std::vector<std::string>& features) const {
  size_t least = SIZE_MAX;
  for (const auto& feature : features) {
    const auto found = seen_.find(feature);
    least = std::min(least, found == seen_.end() ? 0 : found->second);
  }
  return least;
}

std::optional<Expectation> PacketSource::candidate() {
  if (oracle_.endpoints().empty() || (oracle_.options().has_host && below(2) == 0))
    return oracle_.expect(host_packet());
  const auto& endpoint = any_endpoint();
  const auto direction = below(2) == 0 ? Direction::ingress : Direction::egress;
  Packet packet = packets_.packet(endpoint, direction);
  const auto* rule = any_rule(oracle_.applicable_policies(endpoint, direction), direction);
  if (rule && below(3) > 0) aim(*rule, direction, packet);
  if (oracle_.options().has_host && direction == Direction::egress && below(6) == 0)
    aim_frontend(packet);
  if (below(k_one_tunnelled_in) == 0) packet = as_tunnel_packet(packet, below(2) == 0);
  if (below(k_one_spoofed_in) == 0) return oracle_.expect_spoofed(packet, any_endpoint());
  return oracle_.expect(packet);
}

Packet PacketSource::host_packet() {
  const auto family = below(2) == 0 ? policy::IPFamily::v4 : policy::IPFamily::v6;
  const auto of_family = [&](const auto& from) {
    while (true)
      if (const auto& chosen = from[below(from.size())]; chosen.address.family() == family)
        return chosen;
  };
  const auto address = [&] {
    if (below(2) == 0) return of_family(host_addresses()).address;
    if (below(4) > 0) return packets_.address(family);
    const auto& nets = side_nets();
    const auto& net = nets[family == policy::IPFamily::v4 ? 0 : 1];
    return net.address().plus(1 + below(200));
  };
  Packet packet = packets_.packet(address(), address());
  const auto* policy = any_policy_of_hosts();
  const bool comes_in = (policy && policy->pre_dnat) || below(2) == 0;
  const auto direction = comes_in ? Direction::ingress : Direction::egress;
  if (const auto* rule = policy ? any_rule(*policy, direction) : nullptr; rule && below(3) > 0) {
    aim(*rule, direction, packet);
    if (below(2) == 0)
      comes_in ? aim_address(rule->destination, packet.destination)
               : aim_address(rule->source, packet.source);
  }
  if (below(6) == 0) aim_named_port(packet);
  if (below(6) == 0) aim_failsafe(packet);
  if (below(6) == 0) aim_frontend(packet);
  return packet;
}

const policy::Policy* PacketSource::any_policy_of_hosts() {
  if (model_.host_endpoints.empty()) return nullptr;
  const auto& endpoint = std::next(model_.host_endpoints.begin(),
                                   static_cast<std::ptrdiff_t>(below(model_.host_endpoints.size())))
                             ->second;
  const auto labels = policy::effective_labels(model_, endpoint.labels, endpoint.profiles);
  std::map<int, std::vector<const policy::Policy*>> by_stage;
  for (const auto& [key, policy] : model_.policies)
    if (key.ns.empty() && policy.selector.matches(labels))
      by_stage[policy.pre_dnat           ? 0
               : policy.do_not_track     ? 1
               : policy.apply_on_forward ? 2
                                         : 3]
          .push_back(&policy);
  if (by_stage.empty()) return nullptr;
  const auto& policies =
      std::next(by_stage.begin(), static_cast<std::ptrdiff_t>(below(by_stage.size())))->second;
  return policies[below(policies.size())];
}

// For the node itself, at a port that a host endpoint has a name for.
void PacketSource::aim_named_port(Packet& packet) {
  std::vector<policy::NamedPort> ports;
  for (const auto& [key, endpoint] : model_.host_endpoints)
    ports.insert(ports.end(), endpoint.ports.begin(), endpoint.ports.end());
  if (ports.empty()) return;
  const auto& port = ports[below(ports.size())];
  if (!has_ports(packet.protocol)) packet.source_port = 40000;
  packet.protocol = port.protocol;
  packet.icmp_type = packet.icmp_code = 0;
  packet.destination_port = port.port;
  for (const auto& [address, interface] : host_addresses())
    if (address.family() == packet.source.family() && below(2) == 0) packet.destination = address;
}

void PacketSource::aim_frontend(Packet& packet) {
  const auto& frontend = frontends()[below(frontends().size())];
  if (!has_ports(packet.protocol) || frontend.address.family() != packet.source.family()) return;
  packet.destination = frontend.address;
  packet.destination_port = frontend.port;
}

// At its port, or as an answer to one of its.
void PacketSource::aim_failsafe(Packet& packet) {
  const auto& [inbound, outbound] = oracle_.options().settings.failsafes;
  const auto& failsafes = below(2) == 0 ? inbound : outbound;
  if (failsafes.empty()) return;
  const auto& failsafe = failsafes[below(failsafes.size())];
  if (!has_ports(packet.protocol)) packet.source_port = packet.destination_port = 40000;
  packet.protocol = failsafe.protocol;
  packet.icmp_type = packet.icmp_code = 0;
  (below(3) > 0 ? packet.destination_port : packet.source_port) = failsafe.port;
}

const policy::WorkloadEndpoint& PacketSource::any_endpoint() {
  return *oracle_.endpoints()[below(oracle_.endpoints().size())];
}

const policy::Rule* PacketSource::any_rule(const std::vector<const policy::Policy*>& policies,
                                           Direction direction) {
  return policies.empty() ? nullptr : any_rule(*policies[below(policies.size())], direction);
}

const policy::Rule* PacketSource::any_rule(const policy::Policy& policy, Direction direction) {
  const auto& rules = direction == Direction::ingress ? policy.ingress : policy.egress;
  return rules.empty() ? nullptr : &rules[below(rules.size())];
}

// Makes it likely that the rule decides about the packet, or just fails to.
void PacketSource::aim(const policy::Rule& rule, Direction direction, Packet& packet) {
  if (direction == Direction::ingress)
    aim_address(rule.source, packet.source);
  else
    aim_address(rule.destination, packet.destination);
  if (!rule.protocol) return;
  const uint8_t icmp = packet.source.is_v4() ? policy::k_icmp : policy::k_icmpv6;
  if (has_ports(*rule.protocol)) {
    if (!has_ports(packet.protocol)) packet.source_port = packet.destination_port = 8080;
    packet.protocol = *rule.protocol;
    packet.icmp_type = packet.icmp_code = 0;
    aim_port(rule.source, packet.source_port);
    aim_port(rule.destination, packet.destination_port);
  } else if (*rule.protocol == icmp) {
    // Types that begin a flow; tracking calls most others invalid.
    packet.icmp_type =
        packet.source.is_v4() ? (below(2) == 0 ? 8 : 13) : (below(2) == 0 ? 128 : 139);
    packet.icmp_code = static_cast<uint8_t>(below(3));
    packet.protocol = icmp;
    packet.source_port = packet.destination_port = 0;
  }
}

// An end of a range that the rule names, or the port beside it.
void PacketSource::aim_port(const policy::EntityMatch& entity, uint16_t& port) {
  std::vector<policy::PortRange> ranges = entity.ports;
  ranges.insert(ranges.end(), entity.not_ports.begin(), entity.not_ports.end());
  if (ranges.empty()) return;
  const auto range = ranges[below(ranges.size())];
  const int end = below(2) == 0 ? range.first : range.last;
  port = static_cast<uint16_t>(std::clamp(end + static_cast<int>(below(3)) - 1, 1, 65535));
}

void PacketSource::aim_address(const policy::EntityMatch& entity, policy::IPAddress& address) {
  std::vector<policy::Prefix> nets = entity.nets;
  nets.insert(nets.end(), entity.not_nets.begin(), entity.not_nets.end());
  std::erase_if(nets, [&](const policy::Prefix& net) {
    return net.family() != address.family() || net.length() == 0;
  });
  if (nets.empty()) return;
  const auto& net = nets[below(nets.size())];
  address = below(2) == 0 ? net.address() : net.last();
}

// ICMP that has an identifier gets one of its own in each frame.
std::optional<PacketSource::Flow> PacketSource::flow_of(const Packet& packet) {
  Flow flow{packet.source, packet.destination, packet.protocol, packet.source_port,
            packet.destination_port};
  if (!is_icmp(packet.protocol)) return flow;
  if (packet.icmp_type != k_node_information_query) return std::nullopt;
  flow.source_port = packet.icmp_code;
  return flow;
}

bool PacketSource::is_new_flow(const Packet& packet) const {
  const auto flow = flow_of(packet);
  if (!flow) return true;
  if (!has_ports(packet.protocol) && (portless_.contains({packet.protocol, packet.source}) ||
                                      portless_.contains({packet.protocol, packet.destination})))
    return false;
  Flow back{flow->destination, flow->source, flow->protocol, flow->destination_port,
            flow->source_port};
  if (flows_.contains(*flow) || flows_.contains(back)) return false;
  back.source = {};
  return !is_of_the_host(packet.destination) || !flows_of_anyone_.contains(back);
}

// As it was sent, and as its service's address is translated.
bool PacketSource::is_new_flow(const Expectation& expected) const {
  return is_new_flow(expected.injection.packet) && is_new_flow(expected.passage.packet);
}

void PacketSource::remember_flow(const Packet& packet) {
  const auto flow = flow_of(packet);
  if (!flow) return;
  flows_.insert(*flow);
  Flow anyone = *flow;
  anyone.source = {};
  flows_of_anyone_.insert(anyone);
  if (has_ports(packet.protocol)) return;
  for (const auto& end : {packet.source, packet.destination})
    portless_.insert({packet.protocol, end});
}

size_t PacketSource::FlowHash::operator()(const Flow& flow) const {
  return (of_address(flow.source) * 31 + of_address(flow.destination)) * 31 +
         (size_t{flow.protocol} << 32 | size_t{flow.source_port} << 16 | flow.destination_port);
}

}  // namespace margay::differential
