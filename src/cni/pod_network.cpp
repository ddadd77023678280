#include "cni/pod_network.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/conntrack.h"
#include "net/interface_address.h"
#include "net/link.h"
#include "net/neighbour.h"
#include "net/netlink.h"
#include "net/network_namespace.h"
#include "net/route.h"
#include "net/sysctl.h"

namespace margay::cni {
namespace {

using base::ErrorCode;
using base::fail;
using base::IPAddress;
using base::IPFamily;
using base::Prefix;
using base::Result;
using net::NetlinkSocket;
using net::NetworkNamespace;

// The same on every host end: pairs are point to point, so it need not be unique, and one that is
// fixed is never generated, which can fail, nor changes with a pair.
constexpr net::MacAddress k_host_mac{{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}};
constexpr IPAddress k_gateway_v4 = IPAddress::v4(0xa9fe0101);  // 169.254.1.1
// The link-local address that follows from that MAC address (RFC 4291, appendix A).
constexpr IPAddress k_gateway_v6 =
    IPAddress::v6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0xec, 0xee, 0xee, 0xff, 0xfe, 0xee, 0xee, 0xee});
constexpr unsigned k_link_local_length = 64;

struct Sysctl {
  std::string path;
  std::string value;
};

Result<> write_all(const std::vector<Sysctl>& sysctls) {
  for (const auto& [path, value] : sysctls) MARGAY_CHECK(net::write_sysctl(path, value));
  return {};
}

std::string v4_conf(const std::string& interface, const char* name) {
  return fmt::format("net/ipv4/conf/{}/{}", interface, name);
}
std::string v6_conf(const std::string& interface, const char* name) {
  return fmt::format("net/ipv6/conf/{}/{}", interface, name);
}

std::vector<Sysctl> container_sysctls(const PodNetwork& pod) {
  std::vector<Sysctl> all;
  const std::string forwarding = pod.allow_ip_forwarding ? "1" : "0";
  if (pod.has(IPFamily::v4)) all.push_back({"net/ipv4/ip_forward", forwarding});
  if (!pod.has(IPFamily::v6)) return all;
  for (const char* interface : {"all", "default", "lo", pod.container_interface.c_str()}) {
    all.push_back({v6_conf(interface, "disable_ipv6"), "0"});
  }
  all.push_back({v6_conf(pod.container_interface, "accept_dad"), "0"});
  all.push_back({v6_conf(pod.container_interface, "accept_ra"), "0"});
  all.push_back({v6_conf("all", "forwarding"), forwarding});
  return all;
}

std::vector<Sysctl> host_sysctls(const PodNetwork& pod) {
  const std::string& interface = pod.host_interface;
  std::vector<Sysctl> all;
  if (pod.has(IPFamily::v4)) {
    all.push_back({fmt::format("net/ipv4/neigh/{}/proxy_delay", interface), "0"});
    all.push_back({v4_conf(interface, "proxy_arp"), "1"});
    all.push_back({v4_conf(interface, "rp_filter"), "1"});
    all.push_back({v4_conf(interface, "forwarding"), "1"});
  }
  if (pod.has(IPFamily::v6)) {
    all.push_back({v6_conf(interface, "disable_ipv6"), "0"});
    all.push_back({v6_conf(interface, "accept_dad"), "0"});
    all.push_back({v6_conf(interface, "accept_ra"), "0"});
    all.push_back({v6_conf(interface, "proxy_ndp"), "1"});
    all.push_back({v6_conf(interface, "forwarding"), "1"});
  }
  return all;
}

std::vector<net::Route> container_routes(const PodNetwork& pod, int link) {
  std::vector<net::Route> routes;
  if (pod.has(IPFamily::v4)) {
    routes.push_back(
        {.destination = Prefix(k_gateway_v4), .link = link, .scope = net::RouteScope::link});
  }
  for (const auto& destination : pod.routes) {
    if (!pod.has(destination.family())) continue;
    const bool v4 = destination.family() == IPFamily::v4;
    routes.push_back(
        {.destination = destination, .link = link, .via = v4 ? k_gateway_v4 : k_gateway_v6});
  }
  return routes;
}

std::vector<net::Route> host_routes(const PodNetwork& pod, int link) {
  std::vector<net::Route> routes;
  for (const auto& address : pod.addresses) {
    net::Route route{.destination = Prefix(address), .link = link};
    if (address.is_v4()) route.scope = net::RouteScope::link;
    routes.push_back(route);
  }
  return routes;
}

Result<> fill_container(const PodNetwork& pod) {
  MARGAY_TRY(NetlinkSocket socket, NetlinkSocket::open());
  MARGAY_CHECK(write_all(container_sysctls(pod)));
  MARGAY_CHECK(net::change_link(socket, "lo", {.up = true}));
  MARGAY_CHECK(net::change_link(socket, pod.container_interface, {.up = true}));
  MARGAY_TRY(const auto link, net::get_link(socket, pod.container_interface));
  for (const auto& address : pod.addresses) {
    MARGAY_CHECK(net::add_address(socket, {.link = link.index,
                                           .address = address,
                                           .prefix_length = address.bits(),
                                           .no_duplicate_detection = address.is_v6()}));
  }
  // The host would answer for them, but only where it has a default route itself.
  for (const auto& gateway : {k_gateway_v4, k_gateway_v6}) {
    if (!pod.has(gateway.family())) continue;
    MARGAY_CHECK(net::replace_neighbour(socket, {link.index, gateway, k_host_mac}));
  }
  for (const auto& route : container_routes(pod, link.index)) {
    MARGAY_CHECK(net::replace_route(socket, route));
  }
  return {};
}

// Those that the pod before with such an address had: what they were allowed is not this one's. By
// now no route leads to that one; and to this one none leads before.
Result<> forget_flows(const PodNetwork& pod) {
  MARGAY_TRY(auto conntrack, net::Conntrack::open());
  return conntrack.forget(pod.addresses);
}

Result<> fill_host(NetlinkSocket& socket, const PodNetwork& pod) {
  MARGAY_CHECK(write_all(host_sysctls(pod)));
  MARGAY_TRY(const auto link, net::get_link(socket, pod.host_interface));
  if (pod.has(IPFamily::v6)) {
    MARGAY_CHECK(net::add_address(socket, {.link = link.index,
                                           .address = k_gateway_v6,
                                           .prefix_length = k_link_local_length,
                                           .link_scope = true,
                                           .no_duplicate_detection = true}));
  }
  MARGAY_CHECK(net::change_link(socket, pod.host_interface, {.up = true}));
  MARGAY_CHECK(forget_flows(pod));
  for (const auto& route : host_routes(pod, link.index)) {
    MARGAY_CHECK(net::replace_route(socket, route));
  }
  return {};
}

std::unexpected<base::Error> missing(std::string what) {
  return fail(ErrorCode::not_found, std::move(what));
}

Result<> verify_routes(NetlinkSocket& socket, const std::vector<net::Route>& wanted, int link) {
  MARGAY_TRY(const auto routes, net::list_routes(socket, {.link = link}));
  for (const auto& route : wanted) {
    const bool there = std::ranges::any_of(routes, [&](const net::Route& found) {
      return found.destination == route.destination && found.via == route.via;
    });
    if (!there) return missing(fmt::format("route {}: not there", route.to_string()));
  }
  return {};
}

Result<net::Link> verify_container(const PodNetwork& pod) {
  MARGAY_TRY(NetlinkSocket socket, NetlinkSocket::open());
  MARGAY_TRY(auto link, net::get_link(socket, pod.container_interface));
  if (!link.up) return missing(fmt::format("link {}: is down", link.name));
  if (pod.container_mac && link.mac != pod.container_mac) {
    return missing(fmt::format("link {}: has another MAC address", link.name));
  }
  MARGAY_TRY(const auto addresses, net::list_addresses(socket, link.index));
  for (const auto& wanted : pod.addresses) {
    const auto found = std::ranges::find(addresses, wanted, &net::InterfaceAddress::address);
    if (found == addresses.end()) {
      return missing(fmt::format("address {}: not on {}", wanted.to_string(), link.name));
    }
  }
  for (const auto& found : addresses) {
    if (found.link_scope) continue;
    if (std::ranges::find(pod.addresses, found.address) == pod.addresses.end()) {
      return missing(fmt::format("address {}: on {}, and not the pod's", found.address.to_string(),
                                 link.name));
    }
  }
  MARGAY_CHECK(verify_routes(socket, container_routes(pod, link.index), link.index));
  return link;
}

}  // namespace

bool PodNetwork::has(IPFamily family) const {
  return std::ranges::any_of(addresses, [&](const auto& a) { return a.family() == family; });
}

Result<Connected> verify(const PodNetwork& pod) {
  MARGAY_TRY(const auto container, NetworkNamespace::open(pod.container_namespace));
  MARGAY_TRY(const auto inside, container.run([&] { return verify_container(pod); }));
  MARGAY_TRY(NetlinkSocket socket, NetlinkSocket::open());
  MARGAY_TRY(const auto link, net::get_link(socket, pod.host_interface));
  if (link.peer != inside.index || inside.peer != link.index) {
    return missing(fmt::format("link {}: is not the other end of {}", link.name, inside.name));
  }
  if (!link.up) return missing(fmt::format("link {}: is down", link.name));
  if (!link.mac || !inside.mac) return missing(fmt::format("link {}: no MAC address", link.name));
  for (const auto& [path, value] : host_sysctls(pod)) {
    MARGAY_TRY(const auto current, net::read_sysctl(path));
    if (current != value) return missing(fmt::format("sysctl {}: is {}", path, current));
  }
  MARGAY_CHECK(verify_routes(socket, host_routes(pod, link.index), link.index));
  return Connected{*link.mac, *inside.mac};
}

Result<Connected> connect(const PodNetwork& pod) {
  MARGAY_TRY(const auto container, NetworkNamespace::open(pod.container_namespace));
  MARGAY_TRY(const auto host, NetworkNamespace::current());
  if (container.is(host))
    return fail(ErrorCode::invalid,
                fmt::format("{} is the host's own network namespace", pod.container_namespace));
  if (auto connected = verify(pod)) return connected;

  MARGAY_TRY(NetlinkSocket socket, NetlinkSocket::open());
  const auto removed = net::delete_link(socket, pod.host_interface);
  if (!removed && removed.error().code != ErrorCode::not_found) return fail(removed.error());
  MARGAY_CHECK(disconnect(pod.container_namespace, pod.container_interface));
  MARGAY_CHECK(
      net::create_veth(socket, {.near = {.name = pod.host_interface, .mac = k_host_mac},
                                .far = {.name = pod.container_interface, .mac = pod.container_mac},
                                .far_namespace = container.fd(),
                                .mtu = pod.mtu}));
  MARGAY_CHECK(container.run([&] { return fill_container(pod); }));
  MARGAY_CHECK(fill_host(socket, pod));
  return verify(pod);
}

Result<> disconnect(const std::string& container_namespace,
                    const std::string& container_interface) {
  const auto container = NetworkNamespace::open(container_namespace);
  if (!container && container.error().code == ErrorCode::not_found) return {};
  if (!container) return fail(container.error());
  // /proc/PID/ns/net of a process that is gone may be that of another one on the host by now.
  MARGAY_TRY(const auto host, NetworkNamespace::current());
  if (container->is(host)) return {};
  MARGAY_TRY(NetlinkSocket socket, NetlinkSocket::open(*container));
  const auto removed = net::delete_link(socket, container_interface);
  if (!removed && removed.error().code != ErrorCode::not_found) return fail(removed.error());
  return {};
}

}  // namespace margay::cni
