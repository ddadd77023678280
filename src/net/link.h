#pragma once

// Network interfaces (rtnetlink(7), RTM_*LINK). Errors name the interface: "link cali123: No such
// device". The socket decides the namespace.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "net/mac_address.h"

struct nlmsghdr;

namespace margay::net {

class NetlinkSocket;

struct VxlanOptions {
  uint32_t vni = 0;
  uint16_t port = 4789;                  // UDP destination port
  std::optional<base::IPAddress> local;  // outer source address
  int parent = 0;                        // index of the interface tunnel packets leave by; 0: any
  bool learning = false;                 // learn remote addresses from traffic
  bool operator==(const VxlanOptions&) const = default;
};

struct Link {
  int index = 0;
  std::string name;
  std::string kind;      // "veth", "vxlan", "bridge", ...; empty for hardware
  bool up = false;       // administratively
  bool running = false;  // has carrier
  bool loopback = false;
  uint32_t mtu = 0;
  std::optional<MacAddress> mac;
  int peer = 0;    // veth: the peer's index in its namespace; tunnels: the parent's
  int master = 0;  // index of the bridge it is a port of
  std::optional<VxlanOptions> vxlan;
};

// `not_found` when there is none.
base::Result<Link> get_link(NetlinkSocket& socket, std::string_view name);
base::Result<Link> get_link(NetlinkSocket& socket, int index);
base::Result<std::vector<Link>> list_links(NetlinkSocket& socket);
// What an RTM_NEWLINK or RTM_DELLINK message says.
std::optional<Link> parse_link(const nlmsghdr& message);

// A veth pair; both ends are made in one step, or none. `already_exists` when a name is taken.
struct VethPair {
  struct End {
    std::string name;
    std::optional<MacAddress> mac;
  };
  End near;
  End far;
  std::optional<int> far_namespace;  // descriptor; unset: the same one
  uint32_t mtu = 0;                  // of both ends; 0: the kernel's default
};
base::Result<> create_veth(NetlinkSocket& socket, const VethPair& pair);
base::Result<> create_vxlan(NetlinkSocket& socket, const std::string& name,
                            const VxlanOptions& options, std::optional<MacAddress> mac = {});
base::Result<> create_bridge(NetlinkSocket& socket, const std::string& name);
// `unsupported` when the kernel has no dummy interfaces.
base::Result<> create_dummy(NetlinkSocket& socket, const std::string& name);

// Only what is set is changed, all in one request.
struct LinkChange {
  std::optional<bool> up;
  std::optional<uint32_t> mtu;
  std::optional<MacAddress> mac;
  std::optional<std::string> name;
  std::optional<int> master;             // index of a bridge; 0: none
  std::optional<int> network_namespace;  // descriptor of the one to move to
  // How the IPv6 link-local address is made: false turns it off (IN6_ADDR_GEN_MODE_NONE).
  std::optional<bool> ipv6_link_local;
  bool operator==(const LinkChange&) const = default;
};
base::Result<> change_link(NetlinkSocket& socket, std::string_view name, const LinkChange& change);
base::Result<> delete_link(NetlinkSocket& socket, std::string_view name);

}  // namespace margay::net
