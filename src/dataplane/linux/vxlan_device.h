#pragma once

// This node's end of the overlay for one family: the device, its address, and for each other node
// a permanent neighbour and a forwarding entry (RFC 7348; no learning, no flooding). It exists
// while a pool of the family asks for VXLAN and this node has a tunnel address.

#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "dataplane/linux/config.h"
#include "net/link.h"
#include "net/netlink.h"
#include "policy/program.h"

namespace margay::dataplane::linux_host {

class VxlanDevice {
 public:
  // `config` outlives this.
  VxlanDevice(const Config& config, policy::IPFamily family);

  void set_pool(const policy::IPPool& pool);
  void remove_pool(const std::string& name);
  void set_host(const policy::Host& host);
  void set_tunnel(const policy::ProgramTunnel& tunnel);
  void remove_tunnel(const std::string& node);
  void touch() { changed_ = true; }

  // Reads what is there and writes only what differs: every write comes back as an event. What
  // fails for one node keeps the others from nothing.
  base::Result<> apply(net::NetlinkSocket& socket);
  base::Result<> remove(net::NetlinkSocket& socket);
  // Whether it is there, for link(); writes nothing. False: it ought to be and is not, or the other
  // way round.
  base::Result<bool> look(net::NetlinkSocket& socket);

  const std::string& name() const { return name_; }
  // Set once the device carries packets.
  std::optional<int> link() const { return link_; }
  // Whether it could not be told: what an earlier run has left stays.
  bool is_unknown() const { return !link_ && unknown_; }
  // The next hop towards a node through the device.
  std::optional<policy::IPAddress> gateway(const std::string& node) const;

 private:
  struct Tunnel {
    policy::IPAddress node_address, address;
    net::MacAddress mac;
  };

  base::Result<> make(net::NetlinkSocket& socket);
  bool wanted() const;
  uint32_t mtu() const;
  base::Result<net::VxlanOptions> options(net::NetlinkSocket& socket) const;
  base::Result<net::Link> make_device(net::NetlinkSocket& socket);
  base::Result<> set_address(net::NetlinkSocket& socket, int link) const;
  base::Result<> set_neighbours(net::NetlinkSocket& socket, int link) const;
  base::Result<> set_forwarding(net::NetlinkSocket& socket, int link) const;

  const Config& config_;
  policy::IPFamily family_;
  std::string name_;
  std::map<std::string, policy::IPPool> pools_;  // those that ask for VXLAN
  std::optional<policy::IPAddress> outer_, inner_;
  std::optional<net::MacAddress> mac_;
  std::map<std::string, Tunnel> tunnels_;  // by node
  std::optional<int> link_;
  bool unknown_ = false;
  bool changed_ = true;
};

}  // namespace margay::dataplane::linux_host
