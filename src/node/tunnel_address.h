#pragma once

// This node's addresses inside the overlay: while a pool asks for VXLAN, the node holds an address
// of it for the tunnel device and says so in its Node resource, with the device's hardware address,
// so that other nodes can reach it. When no pool asks any more, it gives the address back.

#include <string>

#include "base/address.h"
#include "base/result.h"
#include "store/store.h"

namespace margay::node {

// Brings addresses and Node up to date with the pools. May be repeated at any time, and be killed
// anywhere: addresses go by a handle of the node's, so none is lost. Blocks.
base::Result<> ensure_tunnel_addresses(store::Store& store, const std::string& node);

// The hardware address of a node's tunnel device: locally administered, made from the node's name
// so that it stays across restarts.
std::string tunnel_mac(const std::string& node, base::IPFamily family);

}  // namespace margay::node
