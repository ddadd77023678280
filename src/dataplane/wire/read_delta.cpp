#include "dataplane/wire/messages.h"
#include "dataplane/wire/value_reader.h"

namespace margay::dataplane::wire {
namespace {

using namespace policy;
using base::Result;

template <typename Strings>
std::vector<std::string> texts(const Strings& strings) {
  return {strings.begin(), strings.end()};
}

// Reads what deltas are made of; what is wrong anywhere in one is told of the whole.
class DeltaReader : public ValueReader {
 public:
  using ValueReader::key;

  static PolicyKey key(const proto::PolicyKey& message) {
    return {message.tier(), message.ns(), message.name()};
  }
  static ServiceKey key(const proto::ServiceKey& message) { return {message.ns(), message.name()}; }

  Unprogrammed::Key key(const proto::UnprogrammedKey& message) {
    if (message.has_workload()) return key(message.workload());
    if (message.has_host()) return key(message.host());
    if (message.has_policy()) return key(message.policy());
    if (!message.has_service()) refuse("key: none is named");
    return key(message.service());
  }

  SetMember member(const proto::SetMember& message) {
    return {.net = prefix(message.net(), "net"),
            .protocol = number<uint8_t>(message.protocol(), "protocol"),
            .port = number<uint16_t>(message.port(), "port")};
  }

  SetUpdate set(const proto::SetUpdate& message) {
    SetUpdate update{.id = message.id(),
                     .type = enumerator(message.type(), SetType::named_ports, "type"),
                     .members = {}};
    for (const auto& each : message.members())
      update.members.insert(update.members.end(), member(each));
    return update;
  }

  SetDelta set(const proto::SetDelta& message) {
    SetDelta delta{.id = message.id(), .added = {}, .removed = {}};
    for (const auto& each : message.added()) delta.added.push_back(member(each));
    for (const auto& each : message.removed()) delta.removed.push_back(member(each));
    return delta;
  }

  template <typename Prefixes>
  std::vector<Prefix> prefixes(const Prefixes& messages, const char* what) {
    std::vector<Prefix> out;
    for (const auto& each : messages) out.push_back(prefix(each, what));
    return out;
  }

  template <typename Addresses>
  std::vector<IPAddress> addresses(const Addresses& messages, const char* what) {
    std::vector<IPAddress> out;
    for (const auto& each : messages) out.push_back(address(each, what));
    return out;
  }

  template <typename Ranges>
  std::vector<PortRange> ranges(const Ranges& messages) {
    std::vector<PortRange> out;
    for (const auto& each : messages)
      out.push_back({.first = number<uint16_t>(each.first(), "port"),
                     .last = number<uint16_t>(each.last(), "port")});
    return out;
  }

  ICMPMatch icmp(const proto::ICMPMatch& message) {
    ICMPMatch match{.type = number<uint8_t>(message.type(), "ICMP type"), .code = std::nullopt};
    if (message.has_code()) match.code = number<uint8_t>(message.code(), "ICMP code");
    return match;
  }

  ProgramEntity entity(const proto::Entity& message) {
    return {.nets = prefixes(message.nets(), "nets"),
            .not_nets = prefixes(message.not_nets(), "not_nets"),
            .sets = texts(message.sets()),
            .not_sets = texts(message.not_sets()),
            .ports = ranges(message.ports()),
            .not_ports = ranges(message.not_ports()),
            .port_sets = texts(message.port_sets()),
            .not_port_sets = texts(message.not_port_sets())};
  }

  ProgramRule rule(const proto::Rule& message) {
    ProgramRule out{.action = enumerator(message.action(), Action::log, "action")};
    if (message.family() != 0) out.family = family(message.family(), "family");
    if (message.has_protocol()) out.protocol = number<uint8_t>(message.protocol(), "protocol");
    if (message.has_not_protocol())
      out.not_protocol = number<uint8_t>(message.not_protocol(), "not_protocol");
    if (message.has_icmp()) out.icmp = icmp(message.icmp());
    if (message.has_not_icmp()) out.not_icmp = icmp(message.not_icmp());
    out.source = entity(message.source());
    out.destination = entity(message.destination());
    out.never_matches = message.never_matches();
    out.id = message.id();
    return out;
  }

  std::shared_ptr<const ProgramRules> rules(const proto::Rules& message) {
    auto out = std::make_shared<ProgramRules>();
    for (const auto& each : message.ingress()) out->ingress.push_back(rule(each));
    for (const auto& each : message.egress()) out->egress.push_back(rule(each));
    return out;
  }

  template <typename Tiers>
  std::vector<ProgramTier> tiers(const Tiers& messages) {
    std::vector<ProgramTier> out;
    for (const auto& each : messages) {
      ProgramTier& tier = out.emplace_back();
      tier.name = each.name();
      for (const auto& policy : each.ingress()) tier.ingress.push_back(key(policy));
      for (const auto& policy : each.egress()) tier.egress.push_back(key(policy));
      tier.default_action = enumerator(each.default_action(), Action::log, "default action");
    }
    return out;
  }

  template <typename Ports>
  std::vector<NamedPort> named_ports(const Ports& messages) {
    std::vector<NamedPort> out;
    for (const auto& each : messages)
      out.push_back({.name = each.name(),
                     .protocol = number<uint8_t>(each.protocol(), "protocol"),
                     .port = number<uint16_t>(each.port(), "port")});
    return out;
  }

  ProgramWorkload workload(const proto::Workload& message) {
    WorkloadEndpoint endpoint{.key = key(message.key()),
                              .ns = message.ns(),
                              .interface_name = message.interface_name(),
                              .mac = message.mac(),
                              .addresses = addresses(message.addresses(), "addresses"),
                              .labels = {message.labels().begin(), message.labels().end()},
                              .profiles = texts(message.profiles()),
                              .ports = named_ports(message.ports()),
                              .floating_ips = {},
                              .admin_up = message.admin_up()};
    for (const auto& each : message.floating_ips())
      endpoint.floating_ips.push_back({.internal = address(each.internal(), "floating IP"),
                                       .external = address(each.external(), "floating IP")});
    return {.endpoint = std::move(endpoint), .tiers = tiers(message.tiers())};
  }

  ProgramHostEndpoint host_endpoint(const proto::HostEndpoint& message) {
    return {.endpoint = {.key = key(message.key()),
                         .interface_name = message.interface_name(),
                         .expected_addresses =
                             addresses(message.expected_addresses(), "expected addresses"),
                         .labels = {message.labels().begin(), message.labels().end()},
                         .profiles = texts(message.profiles()),
                         .ports = named_ports(message.ports())},
            .interfaces = texts(message.interfaces()),
            .every_other_interface = message.every_other_interface(),
            .untracked = tiers(message.untracked()),
            .pre_dnat = tiers(message.pre_dnat()),
            .forward = tiers(message.forward()),
            .normal = tiers(message.normal())};
  }

  Encapsulation encapsulation(uint32_t value) {
    return enumerator(value, Encapsulation::cross_subnet, "encapsulation");
  }

  ProgramRoute route(const proto::Route& message) {
    return {.destination = prefix(message.destination(), "destination"),
            .kind = enumerator(message.kind(), ProgramRoute::Kind::pool, "kind"),
            .node = message.node(),
            .next_hop = optional_address(message.next_hop(), "next hop"),
            .same_subnet = message.same_subnet(),
            .vxlan = encapsulation(message.vxlan()),
            .ipip = encapsulation(message.ipip()),
            .nat_outgoing = message.nat_outgoing(),
            .interface_name = message.interface_name()};
  }

  ProgramTunnel tunnel(const proto::Tunnel& message) {
    return {.node = message.node(),
            .node_address = address(message.node_address(), "node address"),
            .tunnel_address = address(message.tunnel_address(), "tunnel address"),
            .tunnel_mac = message.tunnel_mac()};
  }

  IPPool pool(const proto::Pool& message) {
    return {.name = message.name(),
            .cidr = prefix(message.cidr(), "cidr"),
            .nat_outgoing = message.nat_outgoing(),
            .disabled = message.disabled(),
            .vxlan = encapsulation(message.vxlan()),
            .ipip = encapsulation(message.ipip())};
  }

  Host host(const proto::Host& message) {
    Host out{.name = message.name(),
             .v4 = optional_address(message.v4(), "v4"),
             .v6 = optional_address(message.v6(), "v6"),
             .v4_subnet = std::nullopt,
             .v6_subnet = std::nullopt,
             .vxlan_v4 = optional_address(message.vxlan_v4(), "vxlan_v4"),
             .vxlan_v6 = optional_address(message.vxlan_v6(), "vxlan_v6"),
             .vxlan_mac = message.vxlan_mac(),
             .vxlan_mac_v6 = message.vxlan_mac_v6(),
             .zone = message.zone()};
    if (message.has_v4_subnet()) out.v4_subnet = prefix(message.v4_subnet(), "v4_subnet");
    if (message.has_v6_subnet()) out.v6_subnet = prefix(message.v6_subnet(), "v6_subnet");
    return out;
  }

  template <typename Backends>
  std::vector<ProgramBackend> backends(const Backends& messages) {
    std::vector<ProgramBackend> out;
    for (const auto& each : messages)
      out.push_back({.address = address(each.address(), "backend"),
                     .port = number<uint16_t>(each.port(), "port"),
                     .is_local = each.is_local()});
    return out;
  }

  ProgramService service(const proto::Service& message) {
    ProgramService out{.key = key(message.key()),
                       .ports = {},
                       .client_affinity = std::nullopt,
                       .source_ranges = prefixes(message.source_ranges(), "source ranges")};
    if (message.has_client_affinity_seconds())
      out.client_affinity =
          std::chrono::seconds(static_cast<int64_t>(message.client_affinity_seconds()));
    for (const auto& each : message.ports()) {
      ProgramServicePort& port = out.ports.emplace_back();
      port.name = each.name();
      port.family = family(each.family(), "family");
      port.protocol = number<uint8_t>(each.protocol(), "protocol");
      for (const auto& frontend : each.frontends())
        port.frontends.push_back(
            {.kind = enumerator(frontend.kind(), ProgramFrontend::Kind::node_port, "kind"),
             .address = optional_address(frontend.address(), "frontend"),
             .port = number<uint16_t>(frontend.port(), "port"),
             .local_only = frontend.local_only()});
      port.backends = backends(each.backends());
      port.local_backends = backends(each.local_backends());
    }
    return out;
  }

  Delta delta(const proto::Delta& message) {
    switch (message.content_case()) {
      case proto::Delta::kSetUpdate:
        return set(message.set_update());
      case proto::Delta::kSetDelta:
        return set(message.set_delta());
      case proto::Delta::kSetRemove:
        return SetRemove{message.set_remove()};
      case proto::Delta::kPolicyUpdate:
        return PolicyUpdate{key(message.policy_update().key()),
                            rules(message.policy_update().rules())};
      case proto::Delta::kPolicyRemove:
        return PolicyRemove{key(message.policy_remove())};
      case proto::Delta::kProfileUpdate:
        return ProfileUpdate{message.profile_update().name(),
                             rules(message.profile_update().rules())};
      case proto::Delta::kProfileRemove:
        return ProfileRemove{message.profile_remove()};
      case proto::Delta::kWorkloadUpdate:
        return WorkloadUpdate{workload(message.workload_update())};
      case proto::Delta::kWorkloadRemove:
        return WorkloadRemove{key(message.workload_remove())};
      case proto::Delta::kHostEndpointUpdate:
        return HostEndpointUpdate{host_endpoint(message.host_endpoint_update())};
      case proto::Delta::kHostEndpointRemove:
        return HostEndpointRemove{key(message.host_endpoint_remove())};
      case proto::Delta::kRouteUpdate:
        return RouteUpdate{route(message.route_update())};
      case proto::Delta::kRouteRemove:
        return RouteRemove{prefix(message.route_remove(), "destination")};
      case proto::Delta::kTunnelUpdate:
        return TunnelUpdate{tunnel(message.tunnel_update())};
      case proto::Delta::kTunnelRemove:
        return TunnelRemove{message.tunnel_remove().node(),
                            family(message.tunnel_remove().family(), "family")};
      case proto::Delta::kPoolUpdate:
        return PoolUpdate{pool(message.pool_update())};
      case proto::Delta::kPoolRemove:
        return PoolRemove{message.pool_remove()};
      case proto::Delta::kHostUpdate:
        return HostUpdate{host(message.host_update())};
      case proto::Delta::kHostRemove:
        return HostRemove{message.host_remove()};
      case proto::Delta::kServiceUpdate:
        return ServiceUpdate{service(message.service_update())};
      case proto::Delta::kServiceRemove:
        return ServiceRemove{key(message.service_remove())};
      case proto::Delta::kUnprogrammedUpdate:
        return UnprogrammedUpdate{{.key = key(message.unprogrammed_update().key()),
                                   .partly = message.unprogrammed_update().partly(),
                                   .reason = message.unprogrammed_update().reason()}};
      case proto::Delta::kUnprogrammedRemove:
        return UnprogrammedRemove{key(message.unprogrammed_remove())};
      case proto::Delta::kInSync:
        return InSync{};
      case proto::Delta::CONTENT_NOT_SET:
        break;
    }
    refuse("it is of a kind that this version does not know");
    return InSync{};
  }
};

}  // namespace

Result<policy::Delta> from_message(const proto::Delta& message) {
  DeltaReader reader;
  auto delta = reader.delta(message);
  return std::move(reader).finish(std::move(delta), "delta");
}

}  // namespace margay::dataplane::wire
