#pragma once

// What carries the packets that policy lets through: the workload interfaces' settings, routes,
// permanent neighbours and the VXLAN devices of this node.
//
// Owns the routes of the configured protocol in the main table, and the devices "vxlan.calico" and
// "vxlan-v6.calico". What needs an interface that is not there or not up waits for
// on_interface_change(). One thread; the namespace in which create() was called.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/iptables/config.h"
#include "dataplane/iptables/vxlan_device.h"
#include "net/link.h"
#include "net/neighbour.h"
#include "net/netlink.h"
#include "net/route.h"
#include "policy/program.h"

namespace margay::dataplane::iptables {

class NodeRoutes {
 public:
  // `config` outlives this.
  static base::Result<std::unique_ptr<NodeRoutes>> create(const Config& config);

  void on_delta(const policy::Delta& delta);
  void on_interface_change(const std::string& name, bool up);

  // Brings what is programmed to what is desired, in the order interface, neighbours, route. Every
  // item is tried; the first error is returned and what failed is tried again next time.
  base::Result<> apply();
  void resync();
  base::Result<> clean_up();

 private:
  struct Claim {
    bool admin_up = true;
    std::optional<net::MacAddress> mac;
  };

  NodeRoutes(const Config& config, net::NetlinkSocket route_socket,
             net::NetlinkSocket conntrack_socket);

  void on(const policy::RouteUpdate& update);
  void on(const policy::RouteRemove& update);
  void on(const policy::WorkloadUpdate& update);
  void on(const policy::WorkloadRemove& update);
  void on(const policy::TunnelUpdate& update);
  void on(const policy::TunnelRemove& update);
  void on(const policy::PoolUpdate& update);
  void on(const policy::PoolRemove& update);
  void on(const policy::HostUpdate& update);
  void on(const policy::HostRemove& update);
  template <typename Other>
  void on(const Other&) {}

  base::Result<> load();
  base::Result<> apply_tunnels();
  base::Result<bool> apply_route(const base::Prefix& destination);
  base::Result<> remove_route(const base::Prefix& destination);
  base::Result<> set_up_interface(const std::string& name);
  bool waits(const policy::ProgramRoute& route) const;
  // The kernel's route for one of the program's; nothing when it has none, or has to wait.
  base::Result<std::optional<net::Route>> kernel_route(const policy::ProgramRoute& route);
  base::Result<std::optional<net::Route>> local_route(const policy::ProgramRoute& route);
  base::Result<std::optional<net::Route>> remote_route(const policy::ProgramRoute& route);
  bool is_workload_interface(std::string_view name) const;
  void touch_interface(const std::string& name);
  // Of the interface of an endpoint that is up and has policy; null when there is none such.
  const Claim* claim_on(const std::string& name) const;

  const Config& config_;
  net::NetlinkSocket socket_;
  net::NetlinkSocket conntrack_;
  std::map<base::Prefix, policy::ProgramRoute> routes_;
  // By interface name, the endpoints that claim it: the first one's holds, as for policy.
  std::map<std::string, std::map<policy::WorkloadKey, Claim>> interfaces_;
  std::map<policy::WorkloadKey, std::string> interface_of_;
  VxlanDevice vxlan_v4_, vxlan_v6_;

  std::set<base::Prefix> pending_;                            // to be compared with `kernel_`
  std::optional<std::map<base::Prefix, net::Route>> kernel_;  // ours, as known
  std::set<std::string> configured_;  // interfaces whose settings are in place
};

}  // namespace margay::dataplane::iptables
