#include "lab/topology.h"

#include "net/interface_address.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/network_namespace.h"
#include "net/route.h"
#include "net/sysctl.h"

namespace margay::lab {
namespace {

using base::ErrorCode;
using base::IPFamily;
using base::Prefix;
using base::Result;
using net::NetlinkSocket;
using net::NetworkNamespace;

constexpr const char* k_bridge = "underlay";
constexpr const char* k_uplink = "eth0";

Result<NetworkNamespace> ensure_namespace(const std::string& name) {
  auto created = NetworkNamespace::create(name);
  if (created || created.error().code != ErrorCode::already_exists) return created;
  auto existing = NetworkNamespace::open_named(name);
  if (existing || existing.error().code != ErrorCode::not_found) return existing;
  // A name without a namespace behind it: a run was killed between making the two.
  MARGAY_CHECK(NetworkNamespace::remove(name));
  return NetworkNamespace::create(name);
}

Result<> unless_exists(Result<> result) {
  if (!result && result.error().code == ErrorCode::already_exists) return {};
  return result;
}

Result<> set_address(NetlinkSocket& socket, const net::Link& link, const UnderlayAddress& address) {
  return net::add_address(socket, {.link = link.index,
                                   .address = address.address,
                                   .prefix_length = address.prefix_length,
                                   .no_duplicate_detection = true});
}

// What the host of a Kubernetes node is expected to have set.
Result<> allow_forwarding(const NetworkNamespace& where) {
  return where.run([]() -> Result<> {
    MARGAY_CHECK(net::write_sysctl("net/ipv4/ip_forward", "1"));
    return net::write_sysctl("net/ipv6/conf/all/forwarding", "1");
  });
}

}  // namespace

Result<> ensure_underlay(const Layout& layout) {
  MARGAY_TRY(const auto underlay, ensure_namespace(layout.underlay_namespace()));
  MARGAY_TRY(auto socket, NetlinkSocket::open(underlay));
  MARGAY_CHECK(unless_exists(net::create_bridge(socket, k_bridge)));
  MARGAY_CHECK(net::change_link(socket, k_bridge, {.up = true}));
  MARGAY_TRY(const auto bridge, net::get_link(socket, k_bridge));
  MARGAY_CHECK(set_address(socket, bridge, underlay_v4(0)));
  return set_address(socket, bridge, underlay_v6(0));
}

Result<> ensure_node(const Layout& layout, int number) {
  const std::string name = node_name(number);
  MARGAY_TRY(const auto underlay, NetworkNamespace::open_named(layout.underlay_namespace()));
  MARGAY_TRY(const auto node, ensure_namespace(layout.node_namespace(name)));
  MARGAY_TRY(auto below, NetlinkSocket::open(underlay));
  MARGAY_TRY(auto inside, NetlinkSocket::open(node));

  MARGAY_CHECK(unless_exists(net::create_veth(
      below, {.near = {name, {}}, .far = {k_uplink, {}}, .far_namespace = node.fd()})));
  MARGAY_TRY(const auto bridge, net::get_link(below, k_bridge));
  MARGAY_CHECK(net::change_link(below, name, {.up = true, .master = bridge.index}));
  MARGAY_CHECK(net::change_link(inside, k_uplink, {.up = true}));

  MARGAY_TRY(const auto uplink, net::get_link(inside, k_uplink));
  MARGAY_CHECK(set_address(inside, uplink, underlay_v4(number)));
  MARGAY_CHECK(set_address(inside, uplink, underlay_v6(number)));
  MARGAY_CHECK(allow_forwarding(node));
  MARGAY_CHECK(net::replace_route(inside, {.destination = Prefix::all(IPFamily::v4),
                                           .link = uplink.index,
                                           .via = underlay_v4(0).address}));
  return net::replace_route(inside, {.destination = Prefix::all(IPFamily::v6),
                                     .link = uplink.index,
                                     .via = underlay_v6(0).address});
}

Result<> remove_namespaces(const Layout& layout) {
  MARGAY_TRY(const auto names, NetworkNamespace::names());
  for (const auto& name : names) {
    if (name.starts_with(layout.namespace_prefix())) MARGAY_CHECK(NetworkNamespace::remove(name));
  }
  return {};
}

}  // namespace margay::lab
