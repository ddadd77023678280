#pragma once

// Addresses of interfaces (rtnetlink(7), RTM_*ADDR).

#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"

struct nlmsghdr;

namespace margay::net {

class NetlinkSocket;

struct InterfaceAddress {
  int link = 0;  // the interface's index
  base::IPAddress address;
  unsigned prefix_length = 0;
  bool link_scope = false;              // link-local, or said to be valid on this link only
  bool no_duplicate_detection = false;  // IPv6: usable at once (IFA_F_NODAD)
  bool tentative = false;               // IPv6, as read: duplicate detection is still under way
};

// Adds, or does nothing when the interface has the address with that length.
base::Result<> add_address(NetlinkSocket& socket, const InterfaceAddress& address);
// `not_found` when the interface does not have it.
base::Result<> delete_address(NetlinkSocket& socket, const InterfaceAddress& address);
// Of one interface, or of all.
base::Result<std::vector<InterfaceAddress>> list_addresses(NetlinkSocket& socket,
                                                           std::optional<int> link = {});
// What an RTM_NEWADDR or RTM_DELADDR message says.
std::optional<InterfaceAddress> parse_address(const nlmsghdr& message);

}  // namespace margay::net
