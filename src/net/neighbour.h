#pragma once

// Neighbours (rtnetlink(7), RTM_*NEIGH): who has an address on a link (ARP, ND), for whom this
// host answers (proxies), and where a VXLAN device sends a MAC address (its forwarding entries).

#include <optional>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "net/mac_address.h"

struct nlmsghdr;

namespace margay::net {

class NetlinkSocket;

struct Neighbour {
  int link = 0;
  base::IPAddress address;
  MacAddress mac;
  bool permanent = true;  // never asked for again nor dropped
  auto operator<=>(const Neighbour&) const = default;
};

// Adds or replaces.
base::Result<> replace_neighbour(NetlinkSocket& socket, const Neighbour& neighbour);
base::Result<> delete_neighbour(NetlinkSocket& socket, int link, const base::IPAddress& address);
// Those with a known MAC address; of one link, or of all.
base::Result<std::vector<Neighbour>> list_neighbours(NetlinkSocket& socket,
                                                     std::optional<int> link = {});

// An address this host answers ARP or ND for on a link.
struct ProxyNeighbour {
  int link = 0;
  base::IPAddress address;
  auto operator<=>(const ProxyNeighbour&) const = default;
};
base::Result<> add_proxy_neighbour(NetlinkSocket& socket, const ProxyNeighbour& proxy);
base::Result<> delete_proxy_neighbour(NetlinkSocket& socket, const ProxyNeighbour& proxy);
base::Result<std::vector<ProxyNeighbour>> list_proxy_neighbours(NetlinkSocket& socket,
                                                                base::IPFamily family);

// Frames to `mac` leave the VXLAN device towards `remote`.
struct ForwardingEntry {
  int link = 0;
  MacAddress mac;
  base::IPAddress remote;
  auto operator<=>(const ForwardingEntry&) const = default;
};
// Adds; replaces the remote when the MAC address has one.
base::Result<> replace_forwarding_entry(NetlinkSocket& socket, const ForwardingEntry& entry);
base::Result<> delete_forwarding_entry(NetlinkSocket& socket, const ForwardingEntry& entry);
base::Result<std::vector<ForwardingEntry>> list_forwarding_entries(NetlinkSocket& socket, int link);

}  // namespace margay::net
