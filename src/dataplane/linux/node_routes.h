#pragma once

// What carries the packets that policy lets through: the workload interfaces' settings, routes,
// permanent neighbours and the VXLAN devices of this node.
//
// Owns the devices "vxlan.calico" and "vxlan-v6.calico", and in the main table the routes of the
// configured protocol and, of any, those by a gateway behind these devices. Besides, no route of
// another's leads through a tunnel device or, unless the operator wants them to stay, to a
// workload's interface, but for the kernel's own. Where the protocol is one that others use too
// (the kernel's, `ip route`'s, a routing daemon's), of those only the ones to destinations that it
// has routes to, and through its devices. What needs an interface that is not there or not up waits
// for on_interface_change(). One thread; the namespace in which create() was called.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/difference.h"
#include "dataplane/linux/config.h"
#include "dataplane/linux/tracked_flows.h"
#include "dataplane/linux/vxlan_device.h"
#include "dataplane/linux/workload_interfaces.h"
#include "net/neighbour.h"
#include "net/netlink.h"
#include "net/route.h"
#include "policy/program.h"

namespace margay::dataplane::linux_host {

class NodeRoutes {
 public:
  // `config` outlives this.
  static base::Result<std::unique_ptr<NodeRoutes>> create(const Config& config);
  // The same with another way to make the kernel forget flows.
  static base::Result<std::unique_ptr<NodeRoutes>> create(const Config& config,
                                                          TrackedFlows::Forget forget_flows);

  void on_delta(const policy::Delta& delta);
  void on_interface_change(const std::string& name, bool up);

  // Brings what is programmed to what is desired: interfaces, then what is no longer wanted, then
  // neighbours and routes. Only what differs is written. Every item is tried; the first error is
  // returned and what failed is tried again next time.
  // Routes of other families than these are only taken away: their policy is not programmed.
  base::Result<> apply(const std::set<policy::IPFamily>& families);
  // After apply(): why packets do not reach the endpoint. Nothing: they do.
  std::optional<WorkloadInterfaces::Obstacle> obstacle_of(const policy::WorkloadKey& key) const;
  void resync();
  base::Result<> clean_up();
  // See DataPlane::differences(). Of the overlay it looks whether its devices are there.
  base::Result<Differences> differences();

 private:
  // What becomes of one destination.
  struct Target {
    std::optional<net::Route> route;
    bool waits = false;    // there will be one, once its interface is usable
    bool unknown = false;  // what its interface is could not be told: what is there stays
  };
  // What the kernel has, as far as it is ours.
  struct Kernel {
    std::map<base::Prefix, net::Route> routes;
    std::set<net::Neighbour> neighbours;
    std::vector<net::Route> others;  // not ours; until they have been looked at
  };

  NodeRoutes(const Config& config, net::NetlinkSocket socket, TrackedFlows::Forget forget_flows);

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
  base::Result<std::set<int>> tunnel_links();
  bool is_ours(const net::Route& route, const std::set<int>& tunnels) const;
  base::Result<> apply_interfaces();
  base::Result<> apply_tunnels();
  // Takes away what others lead through what is ours.
  base::Result<> remove_others();
  // Takes away what stands where something else or nothing belongs.
  base::Result<> clear(const base::Prefix& destination, const Target& target);
  base::Result<> stand_beside(const net::Route& wanted);
  base::Result<> write(const base::Prefix& destination, const Target& target);
  base::Result<> remove_route(const base::Prefix& destination);
  base::Result<> set_neighbour(const net::Route& route, const std::string& interface_name);
  Target target_of(const base::Prefix& destination) const;
  std::optional<base::IPAddress> source_of(const base::Prefix& destination) const;
  Target local_target(const policy::ProgramRoute& route) const;
  Target remote_target(const policy::ProgramRoute& route) const;
  void touch_routes_by(const std::string& interface_name);

  const Config& config_;
  net::NetlinkSocket socket_;
  std::map<base::Prefix, policy::ProgramRoute> routes_;
  WorkloadInterfaces interfaces_;
  TrackedFlows flows_;
  VxlanDevice vxlan_v4_, vxlan_v6_;

  std::set<base::Prefix> pending_;              // to be compared with `kernel_`
  std::set<std::string> moved_;                 // nodes whose tunnels have changed since an apply
  std::optional<Kernel> kernel_;                // as known
  std::map<base::Prefix, std::string> failed_;  // of `pending_`, why
  bool adopted_ = false;                        // whose flows there were at start is known
};

}  // namespace margay::dataplane::linux_host
