#pragma once

// What an operator decides about this data plane. Plain values, named after the FelixConfiguration
// parameter that sets them where there is one.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/failsafe.h"
#include "policy/model.h"

namespace margay::dataplane::linux_host {

enum class Backend : uint8_t { automatic, nft, legacy };              // iptablesBackend
enum class EndpointToHostAction : uint8_t { drop, pass_on, accept };  // Drop, Return, Accept
enum class AllowAction : uint8_t { accept, pass_on };                 // Accept, Return
enum class ServiceLoopPrevention : uint8_t { drop, reject, disabled };
enum class InsertMode : uint8_t { insert, append };  // chainInsertMode

// The lock that iptables' legacy programs share, so that none writes over what another has just
// read.
struct IptablesLock {
  std::chrono::milliseconds timeout{10'000};     // iptablesLockTimeout: 0 does not wait
  std::chrono::milliseconds probe_interval{50};  // iptablesLockProbeInterval
  std::string file = "/run/xtables.lock";        // iptablesLockFilePath
  // Whether iptables-restore takes it; else the agent does, around it (featureDetectOverride's
  // RestoreSupportsLock).
  bool is_taken_by_program = true;
};

struct Config {
  std::string node;

  // interfacePrefix: host-side interfaces whose names begin so belong to workloads. An interface
  // of that kind without an endpoint passes nothing.
  std::vector<std::string> interface_prefixes{"cali"};
  Backend backend = Backend::automatic;
  uint32_t mark_mask = 0xffff0000;  // iptablesMarkMask: at least two bits
  IptablesLock lock;
  InsertMode insert_mode = InsertMode::insert;
  // iptablesPostWriteCheckInterval: so long after a write, and then after twice as long each time,
  // what was written is read back.
  std::chrono::milliseconds post_write_check{1'000};
  size_t max_set_size = 1'048'576;  // maxIpsetSize: a larger one is not written
  bool ipv6 = true;                 // ipv6Support: false closes workloads to IPv6
  bool kernel_has_ipv6 = true;      // not where it was booted with ipv6.disable=1

  EndpointToHostAction endpoint_to_host =
      EndpointToHostAction::drop;                  // defaultEndpointToHostAction
  AllowAction filter_allow = AllowAction::accept;  // iptablesFilterAllowAction
  AllowAction mangle_allow = AllowAction::accept;  // iptablesMangleAllowAction
  bool reject = false;                      // deny by an ICMP error or TCP reset instead of silence
  bool drop_invalid = true;                 // !disableConntrackInvalidCheck
  bool allow_vxlan_from_workloads = false;  // allowVXLANPacketsFromWorkloads
  bool allow_ipip_from_workloads = false;   // allowIPIPPacketsFromWorkloads
  // floatingIPs: those of pods, which whoever may write a pod's annotations chooses. Other
  // orchestrators' are always in effect.
  bool floating_ips_of_pods = false;
  std::string log_prefix = "calico-packet";  // logPrefix
  // failsafeInboundHostPorts, failsafeOutboundHostPorts
  policy::Failsafes failsafes = policy::default_failsafes();

  // What becomes of forwarded packets to an address of these that no service has taken
  // (serviceLoopPrevention; BGPConfiguration's serviceClusterIPs, serviceExternalIPs and
  // serviceLoadBalancerIPs): without it they would go back and forth between node and gateway.
  ServiceLoopPrevention service_loop_prevention = ServiceLoopPrevention::drop;
  std::vector<policy::Prefix> service_networks;

  std::optional<policy::PortRange> nat_ports;             // natPortRange
  std::optional<policy::IPAddress> nat_outgoing_address;  // natOutgoingAddress (IPv4)
  std::string nat_outgoing_interface;                     // iptablesNATOutgoingInterfaceFilter
  // featureDetectOverride's SNATFullyRandom, MASQFullyRandom
  bool fully_random_snat = true, fully_random_masquerade = true;

  uint32_t vxlan_vni = 4096;
  uint16_t vxlan_port = 4789;
  int vxlan_mtu = 1450;                           // of the IPv4 overlay; the IPv6 one has 20 less
  std::vector<policy::Prefix> external_nodes;     // externalNodesList: may send us tunnel packets
  uint8_t route_protocol = 80;                    // deviceRouteProtocol
  std::optional<policy::IPAddress> route_source;  // deviceRouteSourceAddress (IPv4)
  // removeExternalRoutes: routes of others through our workloads' interfaces and tunnels go.
  bool remove_external_routes = true;
  std::chrono::milliseconds netlink_timeout{10'000};  // netlinkTimeout; 0: none
};

}  // namespace margay::dataplane::linux_host
