#pragma once

// This node's addresses inside the overlay: while a pool asks for VXLAN, the node holds an address
// of it for the tunnel device and says so in its Node resource, with the device's hardware address,
// so that other nodes can reach it. When no pool asks any more, it gives the address back: after
// the Node has ceased to name it, and the device to have it.

#include <functional>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/result.h"
#include "net/mac_address.h"
#include "store/store.h"

namespace margay::node {

// Whether an address is in use on this node still, as on the tunnel device.
using IsInUse = std::function<bool(const base::IPAddress& address)>;

// What an operator says of this node's IPv4 tunnel. An address that is given is taken as it is: it
// is for the operator to keep it from others, by a pool or reservation.
struct GivenTunnel {
  std::optional<base::IPAddress> address;
  std::optional<net::MacAddress> mac;
};

// Brings addresses and Node up to date with the pools. May be repeated at any time, and be killed
// anywhere: addresses go by a handle of the node's, so none is lost. An error that is `unavailable`
// while an address that is no longer named is still in use here: it is kept until a later call.
// Blocks.
base::Result<> ensure_tunnel_addresses(store::Store& store, const std::string& node,
                                       const IsInUse& is_in_use, const GivenTunnel& given = {});

// The hardware address of a node's tunnel device: locally administered, made from the node's name
// so that it stays across restarts.
std::string tunnel_mac(const std::string& node, base::IPFamily family);

}  // namespace margay::node
