#include "policy/graph/tunnels.h"

namespace margay::policy {
namespace {

std::optional<ProgramTunnel> tunnel_to(const std::string& node,
                                       const std::optional<IPAddress>& address,
                                       const std::optional<IPAddress>& tunnel_address,
                                       const std::string& mac) {
  if (!address || !tunnel_address || mac.empty()) return std::nullopt;
  return ProgramTunnel{node, *address, *tunnel_address, mac};
}

}  // namespace

void Tunnels::set_host(const Host& host) {
  if (host.name == node_) return;
  tunnels_.assign({host.name, IPFamily::v4},
                  tunnel_to(host.name, host.v4, host.vxlan_v4, host.vxlan_mac));
  tunnels_.assign({host.name, IPFamily::v6},
                  tunnel_to(host.name, host.v6, host.vxlan_v6, host.vxlan_mac_v6));
}

void Tunnels::remove_host(const std::string& name) {
  tunnels_.erase({name, IPFamily::v4});
  tunnels_.erase({name, IPFamily::v6});
}

}  // namespace margay::policy
