#pragma once

// The kernel's table of tracked flows, over ctnetlink (nfnetlink, NFNL_SUBSYS_CTNETLINK).

#include <span>

#include "base/address.h"
#include "base/result.h"

namespace margay::net {

class NetlinkSocket;

// Forgets every flow that one of the addresses takes part in: as the source or destination, before
// or after address translation. Of a single IPv4 address the kernel picks them out (CTA_FILTER,
// Linux 5.8), so that a large table is not copied for the few of one address; an older kernel hands
// out all of them, with the same result. For several addresses, and for IPv6, the family's flows
// are read once. Of any number of flows a bounded number is held in memory at a time. On error some
// may be forgotten already: call again. `socket` is one of NETLINK_NETFILTER.
base::Result<> delete_conntrack_flows(NetlinkSocket& socket,
                                      std::span<const base::IPAddress> addresses);

}  // namespace margay::net
