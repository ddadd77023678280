#pragma once

// Felix's parameters: names, environment variables, values and fallbacks as Calico v3.19 documents
// them ("Configuring Felix"). The same parameter may be set in four places; the first that sets it
// wins: environment (FELIX_<NAME>), configuration file, the FelixConfiguration of this node
// (node.<name>), the global one (default). One without a value is as if it were not set there.
//
// The value "none" is the zero value of the parameter's type (no text, 0, false, no address); for
// those that must not be zero it is an error. A value that does not parse falls back to the
// parameter's default, with a warning; for the parameters where a wrong guess would be dangerous it
// is an error that ends the agent.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "net/mac_address.h"
#include "node/settings.h"
#include "policy/failsafe.h"

namespace margay::node {

enum class EndpointToHostAction { drop, return_to_host, accept };
enum class AllowAction { accept, return_to_host };
enum class ServiceLoopPrevention { drop, reject, disabled };
enum class ChainInsertMode { insert, append };
enum class RouteSource { calico_ipam, workload_ips };

struct PortSpan {
  uint16_t first = 0;
  uint16_t last = 0;
  bool operator==(const PortSpan&) const = default;
};

struct Parameters {
  std::string hostname;                      // FelixHostname; empty: the node's name
  std::string log_severity_screen = "INFO";  // "": none, as of the two others
  // calico/node's defaults, which are not Felix's by itself: no file, no syslog.
  std::string log_file_path;
  std::string log_severity_file = "INFO";
  std::string log_severity_sys;

  bool health_enabled = false;
  std::string health_host = "localhost";
  uint16_t health_port = 9099;
  bool metrics_enabled = false;
  std::string metrics_host;  // empty: every address
  uint16_t metrics_port = 9091;
  bool process_metrics = true;

  bool ipv6_support = true;
  std::vector<std::string> interface_prefixes{"cali"};
  std::vector<std::string> interface_exclude{"^kube-ipvs0$"};  // as regular expressions
  std::string iptables_backend = "auto";
  ChainInsertMode chain_insert_mode = ChainInsertMode::insert;
  std::chrono::milliseconds iptables_lock_timeout{0};  // 0: the data plane's own
  std::chrono::milliseconds iptables_lock_probe_interval{50};
  std::string iptables_lock_file = "/run/xtables.lock";
  std::map<std::string, bool> feature_overrides;  // by Felix's name of the feature
  uint32_t max_ipset_size = 1'048'576;
  uint32_t iptables_mark_mask = 0xffff0000;
  AllowAction filter_allow_action = AllowAction::accept;
  AllowAction mangle_allow_action = AllowAction::accept;
  EndpointToHostAction endpoint_to_host_action = EndpointToHostAction::drop;
  std::string log_prefix = "calico-packet";
  bool disable_conntrack_invalid_check = false;
  bool allow_vxlan_from_workloads = false;
  bool allow_ipip_from_workloads = false;
  bool floating_ips = false;  // of pods
  policy::Failsafes failsafes = policy::default_failsafes();

  ServiceLoopPrevention service_loop_prevention = ServiceLoopPrevention::drop;
  std::vector<base::Prefix> service_networks;  // BGPConfiguration's, not Felix's

  bool vxlan_enabled = false;
  uint16_t vxlan_port = 4789;
  uint32_t vxlan_vni = 4096;
  uint32_t vxlan_mtu = 0;                               // 0: the uplink's less the overhead
  std::optional<base::IPAddress> vxlan_tunnel_address;  // of this node's end, IPv4
  std::optional<net::MacAddress> vxlan_tunnel_mac;
  std::vector<base::Prefix> external_nodes;  // that may send us tunnel packets
  // The uplinks, by name (node/mtu.h).
  std::string mtu_interface_pattern = "^((en|wl|ww|sl|ib)[opsx].*|(eth|wlan|wwan).*)";

  std::optional<PortSpan> nat_port_range;
  std::optional<base::IPAddress> nat_outgoing_address;
  std::string nat_outgoing_interface_filter;
  // Felix writes 3 (boot); the data planes mark their routes 80 unless told otherwise, so that a
  // sweep cannot take somebody else's.
  std::optional<uint8_t> device_route_protocol;
  std::optional<base::IPAddress> device_route_source_address;  // IPv4
  bool remove_external_routes = true;
  RouteSource route_source = RouteSource::calico_ipam;
  std::chrono::milliseconds netlink_timeout{std::chrono::seconds(10)};  // 0: none

  // Zero switches the refresh off.
  std::chrono::milliseconds iptables_refresh_interval{std::chrono::seconds(90)};
  std::chrono::milliseconds route_refresh_interval{std::chrono::seconds(90)};
  std::chrono::milliseconds ipsets_refresh_interval{std::chrono::seconds(10)};
  std::chrono::milliseconds interface_refresh_interval{std::chrono::seconds(90)};
  // After a write, and then after twice as long each time.
  std::chrono::milliseconds iptables_post_write_check_interval{std::chrono::seconds(1)};

  bool endpoint_reporting_enabled = false;

  bool operator==(const Parameters&) const = default;
};

// The setting by which what BGPConfiguration says of services' addresses comes here: prefixes, with
// commas between. It is none of Felix's.
inline constexpr const char* k_service_networks = "BGPConfigurationServiceNetworks";

// Those that have an effect, as Felix names them. The rest: node/absent_parameters.h.
std::set<std::string> parameters_in_effect();

struct Resolved {
  Parameters parameters;
  // Fallbacks taken, names not known, and what is asked that nothing does.
  std::vector<std::string> warnings;
};

// `sources`, the strongest first. Fails on the values that must not be guessed.
base::Result<Resolved> resolve(const std::vector<Settings>& sources);

}  // namespace margay::node
