#include "net/route.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <vector>

#include "net/netlink.h"

namespace margay::net {
namespace {

using base::ErrorCode;
using base::fail;
using base::IPAddress;
using base::IPFamily;
using base::Prefix;
using base::Result;

constexpr uint32_t k_default_ipv6_metric = 1024;

struct TypeName {
  RouteType type;
  uint8_t number;
  const char* name;
};
constexpr std::array k_types{
    TypeName{RouteType::unicast, RTN_UNICAST, ""},
    TypeName{RouteType::local, RTN_LOCAL, "local "},
    TypeName{RouteType::blackhole, RTN_BLACKHOLE, "blackhole "},
    TypeName{RouteType::unreachable, RTN_UNREACHABLE, "unreachable "},
    TypeName{RouteType::prohibit, RTN_PROHIBIT, "prohibit "},
    TypeName{RouteType::throw_, RTN_THROW, "throw "},
};

uint8_t type_number(RouteType type) {
  for (const auto& known : k_types) {
    if (known.type == type) return known.number;
  }
  return RTN_UNSPEC;
}

RouteType type_of(uint8_t number) {
  for (const auto& known : k_types) {
    if (known.number == number) return known.type;
  }
  return RouteType::other;
}

uint8_t scope_number(RouteScope scope) {
  switch (scope) {
    case RouteScope::link:
      return RT_SCOPE_LINK;
    case RouteScope::host:
      return RT_SCOPE_HOST;
    case RouteScope::universe:
      break;
  }
  return RT_SCOPE_UNIVERSE;
}

RouteScope scope_of(uint8_t number) {
  if (number == RT_SCOPE_LINK) return RouteScope::link;
  return number == RT_SCOPE_HOST ? RouteScope::host : RouteScope::universe;
}

uint8_t family_number(IPFamily family) { return family == IPFamily::v4 ? AF_INET : AF_INET6; }

// RTA_VIA: a next hop of the other family, after its family's number (struct rtvia).
void put_via(Message& request, const IPAddress& via) {
  std::vector<uint8_t> bytes(sizeof(uint16_t));
  const uint16_t family = family_number(via.family());
  std::memcpy(bytes.data(), &family, sizeof family);
  bytes.insert(bytes.end(), via.bytes().begin(), via.bytes().end());
  request.put(RTA_VIA, std::span<const uint8_t>(bytes));
}

std::optional<IPAddress> parse_via(const Attributes& attributes) {
  if (const auto gateway = attributes.address(RTA_GATEWAY)) return gateway;
  const auto via = attributes.bytes(RTA_VIA);
  if (!via || via->size() < sizeof(uint16_t)) return std::nullopt;
  const auto address = IPAddress::from_bytes(via->subspan(sizeof(uint16_t)));
  return address ? std::optional(*address) : std::nullopt;
}

Message build(uint16_t type, uint16_t flags, const Route& route) {
  rtmsg header{};
  header.rtm_family = family_number(route.destination.family());
  header.rtm_dst_len = static_cast<uint8_t>(route.destination.length());
  header.rtm_table =
      route.table < 256 ? static_cast<uint8_t>(route.table) : uint8_t{RT_TABLE_UNSPEC};
  header.rtm_protocol = route.protocol;
  header.rtm_scope = scope_number(route.scope);
  header.rtm_type = type_number(route.type);
  header.rtm_flags = route.onlink ? RTNH_F_ONLINK : 0U;
  Message request(type, flags);
  request.put_header(header);
  if (route.destination.length() != 0) request.put(RTA_DST, route.destination.address());
  request.put_u32(RTA_TABLE, route.table);
  if (route.link != 0) request.put_s32(RTA_OIF, route.link);
  if (route.via && route.via->family() == route.destination.family()) {
    request.put(RTA_GATEWAY, *route.via);
  } else if (route.via) {
    put_via(request, *route.via);
  }
  if (route.source) request.put(RTA_PREFSRC, *route.source);
  if (route.metric != 0) request.put_u32(RTA_PRIORITY, route.metric);
  if (route.mtu != 0) {
    request.nest(RTA_METRICS, [&] { request.put_u32(RTAX_MTU, route.mtu); });
  }
  return request;
}

Result<> execute(NetlinkSocket& socket, uint16_t type, uint16_t flags, const Route& route) {
  if (route.type == RouteType::other) {
    return fail(ErrorCode::invalid,
                "route " + route.to_string() + ": of a type that can't be made");
  }
  Message request = build(type, flags, route);
  return socket.execute(request, "route " + route.to_string());
}

bool matches(const RouteFilter& filter, const Route& route) {
  return (!filter.family || route.destination.family() == *filter.family) &&
         (!filter.table || route.table == *filter.table) &&
         (!filter.protocol || route.protocol == *filter.protocol) &&
         (!filter.link || route.link == *filter.link);
}

void parse_first_hop(const Attributes& attributes, Route& route) {
  const auto hops = attributes.bytes(RTA_MULTIPATH);
  if (!hops || hops->size() < sizeof(rtnexthop)) return;
  rtnexthop hop;
  std::memcpy(&hop, hops->data(), sizeof hop);
  route.link = hop.rtnh_ifindex;
}

std::optional<Route> read_route(const nlmsghdr& message) {
  const auto* header = header_of<rtmsg>(message);
  if (header == nullptr) return std::nullopt;
  if (header->rtm_family != AF_INET && header->rtm_family != AF_INET6) return std::nullopt;
  const bool v6 = header->rtm_family == AF_INET6;
  const Attributes attributes(message, sizeof *header);
  const IPAddress any = Prefix::all(v6 ? IPFamily::v6 : IPFamily::v4).address();

  Route route;
  route.destination = Prefix(attributes.address(RTA_DST).value_or(any), header->rtm_dst_len);
  route.type = type_of(header->rtm_type);
  route.link = static_cast<int>(attributes.u32(RTA_OIF).value_or(0));
  if (route.link == 0) parse_first_hop(attributes, route);
  route.via = parse_via(attributes);
  route.source = attributes.address(RTA_PREFSRC);
  route.scope = scope_of(header->rtm_scope);
  route.onlink = (header->rtm_flags & RTNH_F_ONLINK) != 0;
  route.table = attributes.u32(RTA_TABLE).value_or(header->rtm_table);
  route.protocol = header->rtm_protocol;
  route.metric = attributes.u32(RTA_PRIORITY).value_or(0);
  if (v6 && route.metric == k_default_ipv6_metric) route.metric = 0;
  route.mtu = attributes.nested(RTA_METRICS).u32(RTAX_MTU).value_or(0);
  // IPv6 routes without an output interface (unreachable and kin) are shown on loopback.
  if (route.type != RouteType::unicast && route.type != RouteType::local) route.link = 0;
  return route;
}

}  // namespace

std::string Route::to_string() const {
  const char* kind = "";
  for (const auto& known : k_types) {
    if (known.type == type) kind = known.name;
  }
  std::string text = kind + destination.to_string();
  if (via) text += " via " + via->to_string();
  if (link != 0) text += fmt::format(" by link {}", link);
  if (table != k_main_table) text += fmt::format(" in table {}", table);
  return text;
}

std::optional<Route> parse_route(const nlmsghdr& message) {
  const auto* header = header_of<rtmsg>(message);
  if (header == nullptr || (header->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  return read_route(message);
}

Result<> add_route(NetlinkSocket& socket, const Route& route) {
  return execute(socket, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);
}

Result<> replace_route(NetlinkSocket& socket, const Route& route) {
  return execute(socket, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
}

Result<> delete_route(NetlinkSocket& socket, const Route& route) {
  return execute(socket, RTM_DELROUTE, 0, route);
}

Result<std::vector<Route>> list_routes(NetlinkSocket& socket, const RouteFilter& filter) {
  std::vector<Route> routes;
  rtmsg header{};
  header.rtm_family = filter.family ? family_number(*filter.family) : uint8_t{AF_UNSPEC};
  Message request(RTM_GETROUTE, 0);
  request.put_header(header);
  MARGAY_CHECK(socket.dump(request, "list routes", [&](const nlmsghdr& message) {
    const auto route = parse_route(message);
    if (route && matches(filter, *route)) routes.push_back(*route);
  }));
  return routes;
}

Result<Route> lookup_route(NetlinkSocket& socket, const IPAddress& destination) {
  rtmsg header{};
  header.rtm_family = family_number(destination.family());
  header.rtm_dst_len = static_cast<uint8_t>(destination.bits());
  Message request(RTM_GETROUTE, 0);
  request.put_header(header);
  request.put(RTA_DST, destination);
  const std::string context = "route to " + destination.to_string();
  std::optional<Route> route;
  MARGAY_CHECK(socket.query(request, context,
                            [&](const nlmsghdr& message) { route = read_route(message); }));
  if (!route) return fail(ErrorCode::internal, context + ": unreadable answer from the kernel");
  return *std::move(route);
}

}  // namespace margay::net
