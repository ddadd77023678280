#include "policy/rule_match.h"

#include <algorithm>

#include "policy/rule_scope.h"

namespace margay::policy {
namespace {

// What an entity's fields are called in `explain`, by side.
struct FieldNames {
  std::string_view nets, not_nets, selector, not_selector, ports, not_ports;
};
constexpr FieldNames k_source{"source.nets",        "source.notNets", "source.selector",
                              "source.notSelector", "source.ports",   "source.notPorts"};
constexpr FieldNames k_destination{"destination.nets",     "destination.notNets",
                                   "destination.selector", "destination.notSelector",
                                   "destination.ports",    "destination.notPorts"};

// One side of a packet.
struct Side {
  const IPAddress& address;
  uint8_t protocol;
  uint16_t port;
};

bool in_any_net(const std::vector<Prefix>& nets, const IPAddress& address) {
  return std::ranges::any_of(nets, [&](const Prefix& net) { return net.contains(address); });
}

bool in_any_range(const std::vector<PortRange>& ranges, uint16_t port) {
  return std::ranges::any_of(ranges, [&](PortRange range) { return range.contains(port); });
}

// A named port means the endpoints that satisfy the positive selector, or all when there is none.
bool has_any_named_port(const std::vector<std::string>& names, const EntityMatch& entity,
                        const Side& side, Membership& membership) {
  const Selector among = entity.selector.value_or(Selector());
  return std::ranges::any_of(names, [&](const std::string& name) {
    return membership.has_named_port(among, name, side.address, side.protocol, side.port);
  });
}

std::string_view first_mismatch(const EntityMatch& entity, const FieldNames& names,
                                const Side& side, Membership& membership) {
  if (!entity.nets.empty() && !in_any_net(entity.nets, side.address)) return names.nets;
  if (in_any_net(entity.not_nets, side.address)) return names.not_nets;
  if (entity.selector && !membership.contains(*entity.selector, side.address))
    return names.selector;
  if (entity.not_selector && membership.contains(*entity.not_selector, side.address))
    return names.not_selector;
  if (entity.asks_ports() && !in_any_range(entity.ports, side.port) &&
      !has_any_named_port(entity.named_ports, entity, side, membership))
    return names.ports;
  if (in_any_range(entity.not_ports, side.port) ||
      has_any_named_port(entity.not_named_ports, entity, side, membership))
    return names.not_ports;
  return {};
}

bool matches(const ICMPMatch& icmp, const Packet& packet) {
  return icmp.type == packet.icmp_type && (!icmp.code || *icmp.code == packet.icmp_code);
}

}  // namespace

std::string_view first_mismatch(const Rule& rule, const Packet& packet, Membership& membership) {
  const RuleScope scope = scope_of(rule);
  if (!scope.never.empty()) return scope.never;
  if (scope.family && *scope.family != packet.source.family()) return "ipVersion";
  if (rule.protocol && *rule.protocol != packet.protocol) return "protocol";
  if (rule.not_protocol && *rule.not_protocol == packet.protocol) return "notProtocol";
  if (rule.icmp && !matches(*rule.icmp, packet)) return "icmp";
  if (rule.not_icmp && matches(*rule.not_icmp, packet)) return "notICMP";
  const Side source{packet.source, packet.protocol, packet.source_port};
  if (const auto field = first_mismatch(rule.source, k_source, source, membership); !field.empty())
    return field;
  const Side destination{packet.destination, packet.protocol, packet.destination_port};
  return first_mismatch(rule.destination, k_destination, destination, membership);
}

}  // namespace margay::policy
