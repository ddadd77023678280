#pragma once

// Routes (rtnetlink(7), RTM_*ROUTE): one next hop each, which is all this project programs; a
// multipath route of another's is listed with its first.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"

struct nlmsghdr;

namespace margay::net {

class NetlinkSocket;

enum class RouteType : uint8_t { unicast, local, blackhole, unreachable, prohibit, throw_, other };
// Distance of the destination. On IPv6 the kernel knows no scopes: always `universe`.
enum class RouteScope : uint8_t { universe, link, host };

constexpr uint32_t k_main_table = 254;
constexpr uint8_t k_protocol_boot = 3;  // what `ip route` uses; agents choose their own

struct Route {
  base::Prefix destination;
  RouteType type = RouteType::unicast;
  int link = 0;                           // index of the interface it leaves by; 0: none given
  std::optional<base::IPAddress> via;     // may be of the other family (RFC 5549)
  std::optional<base::IPAddress> source;  // preferred source address
  RouteScope scope = RouteScope::universe;
  bool onlink = false;  // take `via` as reachable on `link` without a route to it
  uint32_t table = k_main_table;
  uint8_t protocol = k_protocol_boot;  // who made it: rtnetlink(7), rtm_protocol
  uint32_t metric = 0;                 // 0: the default (IPv6's 1024 is read as 0)
  uint32_t mtu = 0;                    // 0: the interface's

  bool operator==(const Route&) const = default;
  // "10.1.0.0/26 via 192.0.2.2", as errors call it.
  std::string to_string() const;
};

// `already_exists` when there is one to that destination in the table with the same metric.
base::Result<> add_route(NetlinkSocket& socket, const Route& route);
// Adds, or puts it in the place of the one to that destination, in one step.
base::Result<> replace_route(NetlinkSocket& socket, const Route& route);
// What is set in `route` must match. `not_found` when there is none.
base::Result<> delete_route(NetlinkSocket& socket, const Route& route);

// What is set must match.
struct RouteFilter {
  std::optional<base::IPFamily> family;
  std::optional<uint32_t> table = k_main_table;
  std::optional<uint8_t> protocol;
  std::optional<int> link;
};
base::Result<std::vector<Route>> list_routes(NetlinkSocket& socket, const RouteFilter& filter);
// The route a packet to `destination` takes now; `source` is the address it would be sent from.
base::Result<Route> lookup_route(NetlinkSocket& socket, const base::IPAddress& destination);
// What an RTM_NEWROUTE or RTM_DELROUTE message says; nothing for cached and multicast routes.
std::optional<Route> parse_route(const nlmsghdr& message);

}  // namespace margay::net
