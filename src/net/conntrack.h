#pragma once

// The kernel's table of tracked flows, over ctnetlink (nfnetlink, NFNL_SUBSYS_CTNETLINK).

#include <cstddef>

#include "base/address.h"
#include "base/result.h"

namespace margay::net {

class NetlinkSocket;

// Forgets every flow that `address` takes part in: as the source or destination, before or after
// address translation. Returns how many there were. `socket` is one of NETLINK_NETFILTER.
base::Result<size_t> delete_conntrack_flows(NetlinkSocket& socket, const base::IPAddress& address);

}  // namespace margay::net
