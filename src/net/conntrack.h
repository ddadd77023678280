#pragma once

// The kernel's table of tracked flows, over ctnetlink (nfnetlink, NFNL_SUBSYS_CTNETLINK).

#include <span>

#include "base/address.h"
#include "base/result.h"
#include "net/netlink.h"

namespace margay::net {

// One thread at a time.
class Conntrack {
 public:
  // In the calling thread's namespace.
  static base::Result<Conntrack> open();

  // Forgets every flow that one of the addresses takes part in: as the source or destination,
  // before or after address translation. Of a single IPv4 address the kernel picks them out
  // (CTA_FILTER, Linux 5.8), so that a large table is not copied for the few of one address; an
  // older kernel hands out all of them, with the same result. For several addresses, and for IPv6,
  // the family's flows are read once. It walks the table once, in bounded memory: flows that begin
  // meanwhile may stay. On error some may be forgotten already: call again.
  base::Result<> forget(std::span<const base::IPAddress> addresses);

 private:
  Conntrack(NetlinkSocket lister, NetlinkSocket deleter)
      : lister_(std::move(lister)), deleter_(std::move(deleter)) {}

  NetlinkSocket lister_;
  NetlinkSocket deleter_;  // while the other is in the middle of an answer
};

}  // namespace margay::net
