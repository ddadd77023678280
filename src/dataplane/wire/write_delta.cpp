#include "dataplane/wire/messages.h"
#include "dataplane/wire/write_values.h"

namespace margay::dataplane::wire {
namespace {

using namespace policy;

template <typename Enum>
uint32_t number(Enum value) {
  return static_cast<uint32_t>(value);
}

std::string optional_octets(const std::optional<IPAddress>& address) {
  return address ? octets(*address) : std::string();
}

void write(const PolicyKey& key, proto::PolicyKey& into) {
  into.set_tier(key.tier);
  into.set_ns(key.ns);
  into.set_name(key.name);
}

void write(const ServiceKey& key, proto::ServiceKey& into) {
  into.set_ns(key.ns);
  into.set_name(key.name);
}

void write(const PortRange& range, proto::PortRange& into) {
  into.set_first(range.first);
  into.set_last(range.last);
}

void write(const SetMember& member, proto::SetMember& into) {
  wire::write(member.net, *into.mutable_net());
  into.set_protocol(member.protocol);
  into.set_port(member.port);
}

void write(const ICMPMatch& icmp, proto::ICMPMatch& into) {
  into.set_type(icmp.type);
  if (icmp.code) into.set_code(*icmp.code);
}

void write(const ProgramEntity& entity, proto::Entity& into) {
  for (const auto& net : entity.nets) wire::write(net, *into.add_nets());
  for (const auto& net : entity.not_nets) wire::write(net, *into.add_not_nets());
  for (const auto& id : entity.sets) into.add_sets(id);
  for (const auto& id : entity.not_sets) into.add_not_sets(id);
  for (const auto& range : entity.ports) write(range, *into.add_ports());
  for (const auto& range : entity.not_ports) write(range, *into.add_not_ports());
  for (const auto& id : entity.port_sets) into.add_port_sets(id);
  for (const auto& id : entity.not_port_sets) into.add_not_port_sets(id);
}

void write(const ProgramRule& rule, proto::Rule& into) {
  into.set_action(number(rule.action));
  if (rule.family) into.set_family(number(*rule.family));
  if (rule.protocol) into.set_protocol(*rule.protocol);
  if (rule.not_protocol) into.set_not_protocol(*rule.not_protocol);
  if (rule.icmp) write(*rule.icmp, *into.mutable_icmp());
  if (rule.not_icmp) write(*rule.not_icmp, *into.mutable_not_icmp());
  write(rule.source, *into.mutable_source());
  write(rule.destination, *into.mutable_destination());
  into.set_never_matches(rule.never_matches);
  into.set_id(rule.id);
}

void write(const ProgramRules& rules, proto::Rules& into) {
  for (const auto& rule : rules.ingress) write(rule, *into.add_ingress());
  for (const auto& rule : rules.egress) write(rule, *into.add_egress());
}

void write(const ProgramTier& tier, proto::Tier& into) {
  into.set_name(tier.name);
  for (const auto& key : tier.ingress) write(key, *into.add_ingress());
  for (const auto& key : tier.egress) write(key, *into.add_egress());
  into.set_default_action(number(tier.default_action));
}

void write(const NamedPort& port, proto::NamedPort& into) {
  into.set_name(port.name);
  into.set_protocol(port.protocol);
  into.set_port(port.port);
}

void write(const ProgramFrontend& frontend, proto::Frontend& into) {
  into.set_kind(number(frontend.kind));
  into.set_address(optional_octets(frontend.address));
  into.set_port(frontend.port);
  into.set_local_only(frontend.local_only);
}

void write(const ProgramBackend& backend, proto::Backend& into) {
  into.set_address(octets(backend.address));
  into.set_port(backend.port);
  into.set_is_local(backend.is_local);
}

void write(const ProgramServicePort& port, proto::ServicePort& into) {
  into.set_name(port.name);
  into.set_family(number(port.family));
  into.set_protocol(port.protocol);
  for (const auto& frontend : port.frontends) write(frontend, *into.add_frontends());
  for (const auto& backend : port.backends) write(backend, *into.add_backends());
  for (const auto& backend : port.local_backends) write(backend, *into.add_local_backends());
}

void write(const Unprogrammed::Key& key, proto::UnprogrammedKey& into) {
  if (const auto* workload = std::get_if<WorkloadKey>(&key))
    wire::write(*workload, *into.mutable_workload());
  else if (const auto* host = std::get_if<HostEndpointKey>(&key))
    wire::write(*host, *into.mutable_host());
  else if (const auto* policy = std::get_if<PolicyKey>(&key))
    write(*policy, *into.mutable_policy());
  else
    write(std::get<ServiceKey>(key), *into.mutable_service());
}

// ---- one for each kind of delta ----------------------------------------------------------------

class DeltaWriter {
 public:
  explicit DeltaWriter(proto::Delta& into) : into_(into) {}

  void operator()(const SetUpdate& update) {
    auto& out = *into_.mutable_set_update();
    out.set_id(update.id);
    out.set_type(number(update.type));
    for (const auto& member : update.members) write(member, *out.add_members());
  }
  void operator()(const SetDelta& delta) {
    auto& out = *into_.mutable_set_delta();
    out.set_id(delta.id);
    for (const auto& member : delta.added) write(member, *out.add_added());
    for (const auto& member : delta.removed) write(member, *out.add_removed());
  }
  void operator()(const SetRemove& remove) { into_.set_set_remove(remove.id); }
  void operator()(const PolicyUpdate& update) {
    write(update.key, *into_.mutable_policy_update()->mutable_key());
    write(*update.rules, *into_.mutable_policy_update()->mutable_rules());
  }
  void operator()(const PolicyRemove& remove) { write(remove.key, *into_.mutable_policy_remove()); }
  void operator()(const ProfileUpdate& update) {
    into_.mutable_profile_update()->set_name(update.name);
    write(*update.rules, *into_.mutable_profile_update()->mutable_rules());
  }
  void operator()(const ProfileRemove& remove) { into_.set_profile_remove(remove.name); }
  void operator()(const WorkloadUpdate& update) {
    const auto& [endpoint, tiers] = update.workload;
    auto& out = *into_.mutable_workload_update();
    wire::write(endpoint.key, *out.mutable_key());
    out.set_ns(endpoint.ns);
    out.set_interface_name(endpoint.interface_name);
    out.set_mac(endpoint.mac);
    for (const auto& address : endpoint.addresses) out.add_addresses(octets(address));
    out.mutable_labels()->insert(endpoint.labels.begin(), endpoint.labels.end());
    for (const auto& name : endpoint.profiles) out.add_profiles(name);
    for (const auto& port : endpoint.ports) write(port, *out.add_ports());
    for (const auto& [internal, external] : endpoint.floating_ips) {
      auto& added = *out.add_floating_ips();
      added.set_internal(octets(internal));
      added.set_external(octets(external));
    }
    out.set_admin_up(endpoint.admin_up);
    for (const auto& tier : tiers) write(tier, *out.add_tiers());
  }
  void operator()(const WorkloadRemove& remove) {
    wire::write(remove.key, *into_.mutable_workload_remove());
  }
  void operator()(const HostEndpointUpdate& update) {
    const auto& program = update.endpoint;
    auto& out = *into_.mutable_host_endpoint_update();
    wire::write(program.endpoint.key, *out.mutable_key());
    out.set_interface_name(program.endpoint.interface_name);
    for (const auto& address : program.endpoint.expected_addresses)
      out.add_expected_addresses(octets(address));
    out.mutable_labels()->insert(program.endpoint.labels.begin(), program.endpoint.labels.end());
    for (const auto& name : program.endpoint.profiles) out.add_profiles(name);
    for (const auto& port : program.endpoint.ports) write(port, *out.add_ports());
    for (const auto& name : program.interfaces) out.add_interfaces(name);
    out.set_every_other_interface(program.every_other_interface);
    for (const auto& tier : program.untracked) write(tier, *out.add_untracked());
    for (const auto& tier : program.pre_dnat) write(tier, *out.add_pre_dnat());
    for (const auto& tier : program.forward) write(tier, *out.add_forward());
    for (const auto& tier : program.normal) write(tier, *out.add_normal());
  }
  void operator()(const HostEndpointRemove& remove) {
    wire::write(remove.key, *into_.mutable_host_endpoint_remove());
  }
  void operator()(const RouteUpdate& update) {
    const auto& route = update.route;
    auto& out = *into_.mutable_route_update();
    wire::write(route.destination, *out.mutable_destination());
    out.set_kind(number(route.kind));
    out.set_node(route.node);
    out.set_next_hop(optional_octets(route.next_hop));
    out.set_same_subnet(route.same_subnet);
    out.set_vxlan(number(route.vxlan));
    out.set_ipip(number(route.ipip));
    out.set_nat_outgoing(route.nat_outgoing);
    out.set_interface_name(route.interface_name);
  }
  void operator()(const RouteRemove& remove) {
    wire::write(remove.destination, *into_.mutable_route_remove());
  }
  void operator()(const TunnelUpdate& update) {
    auto& out = *into_.mutable_tunnel_update();
    out.set_node(update.tunnel.node);
    out.set_node_address(octets(update.tunnel.node_address));
    out.set_tunnel_address(octets(update.tunnel.tunnel_address));
    out.set_tunnel_mac(update.tunnel.tunnel_mac);
  }
  void operator()(const TunnelRemove& remove) {
    into_.mutable_tunnel_remove()->set_node(remove.node);
    into_.mutable_tunnel_remove()->set_family(number(remove.family));
  }
  void operator()(const PoolUpdate& update) {
    auto& out = *into_.mutable_pool_update();
    out.set_name(update.pool.name);
    wire::write(update.pool.cidr, *out.mutable_cidr());
    out.set_nat_outgoing(update.pool.nat_outgoing);
    out.set_disabled(update.pool.disabled);
    out.set_vxlan(number(update.pool.vxlan));
    out.set_ipip(number(update.pool.ipip));
  }
  void operator()(const PoolRemove& remove) { into_.set_pool_remove(remove.name); }
  void operator()(const HostUpdate& update) {
    const auto& host = update.host;
    auto& out = *into_.mutable_host_update();
    out.set_name(host.name);
    out.set_v4(optional_octets(host.v4));
    out.set_v6(optional_octets(host.v6));
    if (host.v4_subnet) wire::write(*host.v4_subnet, *out.mutable_v4_subnet());
    if (host.v6_subnet) wire::write(*host.v6_subnet, *out.mutable_v6_subnet());
    out.set_vxlan_v4(optional_octets(host.vxlan_v4));
    out.set_vxlan_v6(optional_octets(host.vxlan_v6));
    out.set_vxlan_mac(host.vxlan_mac);
    out.set_vxlan_mac_v6(host.vxlan_mac_v6);
    out.set_zone(host.zone);
  }
  void operator()(const HostRemove& remove) { into_.set_host_remove(remove.name); }
  void operator()(const ServiceUpdate& update) {
    auto& out = *into_.mutable_service_update();
    write(update.service.key, *out.mutable_key());
    for (const auto& port : update.service.ports) write(port, *out.add_ports());
    if (update.service.client_affinity)
      out.set_client_affinity_seconds(
          static_cast<uint64_t>(update.service.client_affinity->count()));
    for (const auto& range : update.service.source_ranges)
      wire::write(range, *out.add_source_ranges());
  }
  void operator()(const ServiceRemove& remove) {
    write(remove.key, *into_.mutable_service_remove());
  }
  void operator()(const UnprogrammedUpdate& update) {
    auto& out = *into_.mutable_unprogrammed_update();
    write(update.unprogrammed.key, *out.mutable_key());
    out.set_partly(update.unprogrammed.partly);
    out.set_reason(update.unprogrammed.reason);
  }
  void operator()(const UnprogrammedRemove& remove) {
    write(remove.key, *into_.mutable_unprogrammed_remove());
  }
  void operator()(const InSync&) { into_.mutable_in_sync(); }

 private:
  proto::Delta& into_;
};

}  // namespace

proto::Delta to_message(const policy::Delta& delta) {
  proto::Delta message;
  std::visit(DeltaWriter(message), delta);
  return message;
}

}  // namespace margay::dataplane::wire
