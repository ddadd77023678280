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

dataplane::linux_host::AllowAction allow_action(AllowAction action) {
  using Allow = dataplane::linux_host::AllowAction;
  return action == AllowAction::accept ? Allow::accept : Allow::pass_on;
}

// Felix's 0 is 10 seconds where iptables-restore takes the lock, which cannot do without; else the
// lock is not taken.
dataplane::linux_host::IptablesLock lock_of(const Parameters& from, bool is_taken_by_program) {
  constexpr std::chrono::seconds k_without_a_setting{10};
  const bool is_default = from.iptables_lock_timeout.count() == 0 && is_taken_by_program;
  return {.timeout = is_default ? k_without_a_setting : from.iptables_lock_timeout,
          .probe_interval = from.iptables_lock_probe_interval,
          .file = from.iptables_lock_file,
          .is_taken_by_program = is_taken_by_program};
}

}  // namespace

Config kernel_config(const std::string& node, const Parameters& from) {
  using dataplane::linux_host::InsertMode;
  const auto has = [&](const char* feature) {
    const auto found = from.feature_overrides.find(feature);
    return found == from.feature_overrides.end() || found->second;
  };
  Config config{.node = node,
                .interface_prefixes = from.interface_prefixes,
                .backend = backend_of(from.iptables_backend),
                .mark_mask = from.iptables_mark_mask,
                .lock = lock_of(from, has("RestoreSupportsLock")),
                .insert_mode = from.chain_insert_mode == ChainInsertMode::insert
                                   ? InsertMode::insert
                                   : InsertMode::append,
                .post_write_check = from.iptables_post_write_check_interval,
                .max_set_size = from.max_ipset_size,
                .ipv6 = from.ipv6_support,
                .endpoint_to_host = to_host_action(from.endpoint_to_host_action),
                .filter_allow = allow_action(from.filter_allow_action),
                .mangle_allow = allow_action(from.mangle_allow_action),
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
                .fully_random_snat = has("SNATFullyRandom"),
                .fully_random_masquerade = has("MASQFullyRandom"),
                .vxlan_vni = from.vxlan_vni,
                .vxlan_port = from.vxlan_port,
                .external_nodes = from.external_nodes,
                .route_source = from.device_route_source_address,
                .remove_external_routes = from.remove_external_routes,
                .netlink_timeout = from.netlink_timeout};
  if (from.nat_port_range)
    config.nat_ports = policy::PortRange{from.nat_port_range->first, from.nat_port_range->last};
  if (from.vxlan_mtu != 0) config.vxlan_mtu = static_cast<int>(from.vxlan_mtu);
  if (from.device_route_protocol) config.route_protocol = *from.device_route_protocol;
  return config;
}

std::vector<std::string> parameters_without(const std::string& data_plane,
                                            const Parameters& parameters) {
  if (data_plane != "nftables") return {};
  const Parameters plain;
  std::vector<std::string> names;
  const auto look = [&](const char* name, auto Parameters::* member) {
    if (parameters.*member != plain.*member) names.emplace_back(name);
  };
  look("ChainInsertMode", &Parameters::chain_insert_mode);
  look("IptablesBackend", &Parameters::iptables_backend);
  look("IptablesLockFilePath", &Parameters::iptables_lock_file);
  look("IptablesLockProbeIntervalMillis", &Parameters::iptables_lock_probe_interval);
  look("IptablesLockTimeoutSecs", &Parameters::iptables_lock_timeout);
  look("IptablesPostWriteCheckIntervalSecs", &Parameters::iptables_post_write_check_interval);
  look("MaxIpsetSize", &Parameters::max_ipset_size);
  if (parameters.feature_overrides.contains("RestoreSupportsLock"))
    names.emplace_back("FeatureDetectOverride's RestoreSupportsLock");
  return names;
}

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
