#pragma once

// Felix's parameters: names, environment variables, values and fallbacks as Calico v3.19 documents
// them ("Configuring Felix"). The same parameter may be set in four places; the first that sets it
// wins: environment (FELIX_<NAME>), configuration file, the FelixConfiguration of this node
// (node.<name>), the global one (default).
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
#include "policy/failsafe.h"

namespace margay::node {

enum class EndpointToHostAction { drop, return_to_host, accept };
enum class AllowAction { accept, return_to_host };
enum class ServiceLoopPrevention { drop, reject, disabled };

struct PortSpan {
  uint16_t first = 0;
  uint16_t last = 0;
  bool operator==(const PortSpan&) const = default;
};

struct Parameters {
  std::string hostname;  // FelixHostname; empty: the node's name
  std::string log_severity_screen = "INFO";

  bool health_enabled = false;
  std::string health_host = "localhost";
  uint16_t health_port = 9099;
  bool metrics_enabled = false;
  std::string metrics_host;  // empty: every address
  uint16_t metrics_port = 9091;

  bool ipv6_support = true;
  std::vector<std::string> interface_prefixes{"cali"};
  std::string iptables_backend = "auto";
  uint32_t iptables_mark_mask = 0xffff0000;
  AllowAction filter_allow_action = AllowAction::accept;
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
  uint32_t vxlan_mtu = 0;  // 0: the uplink's less the overhead
  // The uplinks, by name (node/mtu.h).
  std::string mtu_interface_pattern = "^((en|wl|ww|sl|ib)[opsx].*|(eth|wlan|wwan).*)";

  std::optional<PortSpan> nat_port_range;
  std::optional<base::IPAddress> nat_outgoing_address;
  std::string nat_outgoing_interface_filter;
  // Felix writes 3 (boot); the data planes mark their routes 80 unless told otherwise, so that a
  // sweep cannot take somebody else's.
  std::optional<uint8_t> device_route_protocol;

  // Zero switches the refresh off.
  std::chrono::milliseconds iptables_refresh_interval{std::chrono::seconds(90)};
  std::chrono::milliseconds route_refresh_interval{std::chrono::seconds(90)};
  std::chrono::milliseconds ipsets_refresh_interval{std::chrono::seconds(10)};

  bool endpoint_reporting_enabled = false;

  bool operator==(const Parameters&) const = default;
};

// Parameter name (any letter case) -> value as text.
using Settings = std::map<std::string, std::string>;

// FELIX_* of `environment` ("K=V" strings, ended by null), as settings.
Settings settings_from_environment(const char* const* environment);

// Felix's configuration file: INI lines "Name = value"; sections and comments (#) are skipped.
base::Result<Settings> settings_from_file(const std::string& path);

// The setting by which what BGPConfiguration says of services' addresses comes here: prefixes, with
// commas between. It is none of Felix's.
inline constexpr const char* k_service_networks = "BGPConfigurationServiceNetworks";

// Those that have an effect, as Felix names them.
std::set<std::string> parameters_in_effect();

struct Resolved {
  Parameters parameters;
  std::vector<std::string> warnings;  // fallbacks taken and names not known
};

// `sources`, the strongest first. Fails on the values that must not be guessed.
base::Result<Resolved> resolve(const std::vector<Settings>& sources);

}  // namespace margay::node
