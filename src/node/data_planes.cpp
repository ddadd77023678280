#include "node/data_planes.h"

#include "dataplane/iptables/iptables_dataplane.h"
#include "dataplane/nftables/nftables_dataplane.h"

namespace margay::node {
namespace {

using dataplane::linux_host::Backend;
using dataplane::linux_host::Config;

Backend backend_of(const std::string& name) {
  if (name == "nft") return Backend::nft;
  return name == "legacy" ? Backend::legacy : Backend::automatic;
}

dataplane::linux_host::EndpointToHostAction to_host_action(EndpointToHostAction action) {
  using To = dataplane::linux_host::EndpointToHostAction;
  switch (action) {
    case EndpointToHostAction::accept:
      return To::accept;
    case EndpointToHostAction::return_to_host:
      return To::pass_on;
    case EndpointToHostAction::drop:
      break;
  }
  return To::drop;
}

dataplane::linux_host::ServiceLoopPrevention prevention_of(ServiceLoopPrevention what) {
  using To = dataplane::linux_host::ServiceLoopPrevention;
  if (what == ServiceLoopPrevention::disabled) return To::disabled;
  return what == ServiceLoopPrevention::reject ? To::reject : To::drop;
}

Config kernel_config(const std::string& node, const Parameters& from) {
  using dataplane::linux_host::AllowAction;
  Config config{.node = node,
                .interface_prefixes = from.interface_prefixes,
                .backend = backend_of(from.iptables_backend),
                .mark_mask = from.iptables_mark_mask,
                .ipv6 = from.ipv6_support,
                .endpoint_to_host = to_host_action(from.endpoint_to_host_action),
                .filter_allow = from.filter_allow_action == node::AllowAction::accept
                                    ? AllowAction::accept
                                    : AllowAction::pass_on,
                .drop_invalid = !from.disable_conntrack_invalid_check,
                .allow_vxlan_from_workloads = from.allow_vxlan_from_workloads,
                .allow_ipip_from_workloads = from.allow_ipip_from_workloads,
                .floating_ips_of_pods = from.floating_ips,
                .log_prefix = from.log_prefix,
                .failsafes = from.failsafes,
                .service_loop_prevention = prevention_of(from.service_loop_prevention),
                .service_networks = from.service_networks,
                .nat_outgoing_address = from.nat_outgoing_address,
                .nat_outgoing_interface = from.nat_outgoing_interface_filter,
                .vxlan_vni = from.vxlan_vni,
                .vxlan_port = from.vxlan_port};
  if (from.nat_port_range)
    config.nat_ports = policy::PortRange{from.nat_port_range->first, from.nat_port_range->last};
  if (from.vxlan_mtu != 0) config.vxlan_mtu = static_cast<int>(from.vxlan_mtu);
  if (from.device_route_protocol) config.route_protocol = *from.device_route_protocol;
  return config;
}

}  // namespace

std::vector<std::string> data_plane_names() { return {"iptables", "nftables"}; }

base::Result<std::unique_ptr<dataplane::DataPlane>> make_data_plane(const std::string& name,
                                                                    const std::string& node,
                                                                    const Parameters& parameters,
                                                                    dataplane::Upcalls&) {
  if (name == "iptables")
    return dataplane::iptables::IptablesDataPlane::create(kernel_config(node, parameters));
  if (name == "nftables")
    return dataplane::nftables::NftablesDataPlane::create(kernel_config(node, parameters));
  return base::fail(base::ErrorCode::invalid, "there is no data plane \"" + name + "\"");
}

}  // namespace margay::node
