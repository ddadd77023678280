#include "net/link.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <algorithm>

#include "net/netlink.h"

namespace margay::net {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

std::string what(std::string_view name) { return fmt::format("link {}", name); }

Result<> check_name(std::string_view name) {
  if (name.empty() || name.size() >= IFNAMSIZ) {
    return fail(ErrorCode::invalid,
                fmt::format("link \"{}\": a name has 1 to {} characters", name, IFNAMSIZ - 1));
  }
  return {};
}

VxlanOptions parse_vxlan(const Attributes& attributes) {
  VxlanOptions options;
  options.vni = attributes.u32(IFLA_VXLAN_ID).value_or(0);
  options.port = ntohs(attributes.u16(IFLA_VXLAN_PORT).value_or(0));
  options.local = attributes.address(IFLA_VXLAN_LOCAL);
  if (!options.local) options.local = attributes.address(IFLA_VXLAN_LOCAL6);
  options.parent = static_cast<int>(attributes.u32(IFLA_VXLAN_LINK).value_or(0));
  options.learning = attributes.u8(IFLA_VXLAN_LEARNING).value_or(0) != 0;
  return options;
}

std::optional<MacAddress> parse_mac(const Attributes& attributes) {
  const auto bytes = attributes.bytes(IFLA_ADDRESS);
  MacAddress mac;
  if (!bytes || bytes->size() != mac.bytes.size()) return std::nullopt;
  std::ranges::copy(*bytes, mac.bytes.begin());
  return mac;
}

Message create_request(const std::string& name, std::optional<MacAddress> mac = {}) {
  Message request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  request.put_header(ifinfomsg{});
  request.put(IFLA_IFNAME, name);
  if (mac) request.put(IFLA_ADDRESS, mac->bytes);
  return request;
}

Result<> create_plain(NetlinkSocket& socket, const std::string& name, std::string_view kind) {
  MARGAY_CHECK(check_name(name));
  Message request = create_request(name);
  request.nest(IFLA_LINKINFO, [&] { request.put(IFLA_INFO_KIND, kind); });
  return socket.execute(request, what(name));
}

Result<Link> query(NetlinkSocket& socket, Message& request, const std::string& context) {
  std::optional<Link> link;
  MARGAY_CHECK(
      socket.query(request, context, [&](const nlmsghdr& message) { link = parse_link(message); }));
  if (!link) return fail(ErrorCode::internal, context + ": unreadable answer from the kernel");
  return *std::move(link);
}

}  // namespace

std::optional<Link> parse_link(const nlmsghdr& message) {
  const auto* header = header_of<ifinfomsg>(message);
  // A bridge tells of its ports with messages of the same types (AF_BRIDGE): RTM_DELLINK is there a
  // port that left, not a link that is gone.
  if (header == nullptr || header->ifi_family != AF_UNSPEC) return std::nullopt;
  const Attributes attributes(message, sizeof *header);
  Link link;
  link.index = header->ifi_index;
  link.name = attributes.text(IFLA_IFNAME);
  link.up = (header->ifi_flags & IFF_UP) != 0;
  link.running = (header->ifi_flags & IFF_RUNNING) != 0;
  link.loopback = (header->ifi_flags & IFF_LOOPBACK) != 0;
  link.mtu = attributes.u32(IFLA_MTU).value_or(0);
  link.mac = parse_mac(attributes);
  link.peer = static_cast<int>(attributes.u32(IFLA_LINK).value_or(0));
  link.master = static_cast<int>(attributes.u32(IFLA_MASTER).value_or(0));
  const Attributes details = attributes.nested(IFLA_LINKINFO);
  link.kind = details.text(IFLA_INFO_KIND);
  if (link.kind == "vxlan") link.vxlan = parse_vxlan(details.nested(IFLA_INFO_DATA));
  return link;
}

Result<Link> get_link(NetlinkSocket& socket, std::string_view name) {
  MARGAY_CHECK(check_name(name));
  Message request(RTM_GETLINK, 0);
  request.put_header(ifinfomsg{});
  request.put(IFLA_IFNAME, name);
  return query(socket, request, what(name));
}

Result<Link> get_link(NetlinkSocket& socket, int index) {
  Message request(RTM_GETLINK, 0);
  request.put_header(ifinfomsg{.ifi_index = index});
  return query(socket, request, fmt::format("link with index {}", index));
}

Result<std::vector<Link>> list_links(NetlinkSocket& socket) {
  std::vector<Link> links;
  Message request(RTM_GETLINK, 0);
  request.put_header(ifinfomsg{});
  MARGAY_CHECK(socket.dump(request, "list links", [&](const nlmsghdr& message) {
    if (auto link = parse_link(message)) links.push_back(*std::move(link));
  }));
  return links;
}

Result<> create_veth(NetlinkSocket& socket, const VethPair& pair) {
  MARGAY_CHECK(check_name(pair.near.name));
  MARGAY_CHECK(check_name(pair.far.name));
  Message request = create_request(pair.near.name, pair.near.mac);
  if (pair.mtu != 0) request.put_u32(IFLA_MTU, pair.mtu);
  const auto far_end = [&] {
    request.put_header(ifinfomsg{});
    request.put(IFLA_IFNAME, pair.far.name);
    if (pair.far.mac) request.put(IFLA_ADDRESS, pair.far.mac->bytes);
    if (pair.mtu != 0) request.put_u32(IFLA_MTU, pair.mtu);
    if (pair.far_namespace) request.put_s32(IFLA_NET_NS_FD, *pair.far_namespace);
  };
  request.nest(IFLA_LINKINFO, [&] {
    request.put(IFLA_INFO_KIND, "veth");
    request.nest(IFLA_INFO_DATA, [&] { request.nest(VETH_INFO_PEER, far_end); });
  });
  return socket.execute(request, fmt::format("veth {} - {}", pair.near.name, pair.far.name));
}

Result<> create_vxlan(NetlinkSocket& socket, const std::string& name, const VxlanOptions& options,
                      std::optional<MacAddress> mac) {
  MARGAY_CHECK(check_name(name));
  Message request = create_request(name, mac);
  const auto settings = [&] {
    request.put_u32(IFLA_VXLAN_ID, options.vni);
    request.put_u16(IFLA_VXLAN_PORT, htons(options.port));
    request.put_u8(IFLA_VXLAN_LEARNING, options.learning ? 1 : 0);
    if (options.local) {
      request.put(options.local->is_v4() ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, *options.local);
    }
    if (options.parent != 0) request.put_s32(IFLA_VXLAN_LINK, options.parent);
  };
  request.nest(IFLA_LINKINFO, [&] {
    request.put(IFLA_INFO_KIND, "vxlan");
    request.nest(IFLA_INFO_DATA, settings);
  });
  return socket.execute(request, what(name));
}

Result<> create_bridge(NetlinkSocket& socket, const std::string& name) {
  return create_plain(socket, name, "bridge");
}

Result<> create_dummy(NetlinkSocket& socket, const std::string& name) {
  return create_plain(socket, name, "dummy");
}

Result<> change_link(NetlinkSocket& socket, std::string_view name, const LinkChange& change) {
  MARGAY_CHECK(check_name(name));
  ifinfomsg header{};
  if (change.up) {
    header.ifi_change = IFF_UP;
    header.ifi_flags = *change.up ? IFF_UP : 0;
  }
  Message request(RTM_NEWLINK, 0);
  if (change.name) {
    // With a new name in the request the kernel needs the index to find the old one.
    MARGAY_CHECK(check_name(*change.name));
    MARGAY_TRY(const Link link, get_link(socket, name));
    header.ifi_index = link.index;
  }
  request.put_header(header);
  request.put(IFLA_IFNAME, change.name ? std::string_view(*change.name) : name);
  if (change.mtu) request.put_u32(IFLA_MTU, *change.mtu);
  if (change.mac) request.put(IFLA_ADDRESS, change.mac->bytes);
  if (change.master) request.put_s32(IFLA_MASTER, *change.master);
  if (change.network_namespace) request.put_s32(IFLA_NET_NS_FD, *change.network_namespace);
  if (change.ipv6_link_local) {
    const uint8_t mode = *change.ipv6_link_local ? IN6_ADDR_GEN_MODE_EUI64 : IN6_ADDR_GEN_MODE_NONE;
    request.nest(IFLA_AF_SPEC, [&] {
      request.nest(AF_INET6, [&] { request.put_u8(IFLA_INET6_ADDR_GEN_MODE, mode); });
    });
  }
  return socket.execute(request, what(name));
}

Result<> delete_link(NetlinkSocket& socket, std::string_view name) {
  MARGAY_CHECK(check_name(name));
  Message request(RTM_DELLINK, 0);
  request.put_header(ifinfomsg{});
  request.put(IFLA_IFNAME, name);
  return socket.execute(request, what(name));
}

}  // namespace margay::net
