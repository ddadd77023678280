#include "net/neighbour.h"

#include <fmt/format.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>

#include "net/netlink.h"

namespace margay::net {
namespace {

using base::IPAddress;
using base::IPFamily;
using base::Result;

constexpr uint16_t k_replace = NLM_F_CREATE | NLM_F_REPLACE;

uint8_t family_number(IPFamily family) { return family == IPFamily::v4 ? AF_INET : AF_INET6; }

std::optional<MacAddress> parse_mac(const Attributes& attributes) {
  const auto bytes = attributes.bytes(NDA_LLADDR);
  MacAddress mac;
  if (!bytes || bytes->size() != mac.bytes.size()) return std::nullopt;
  std::ranges::copy(*bytes, mac.bytes.begin());
  return mac;
}

std::string what(const char* kind, const std::string& name, int link) {
  return fmt::format("{} {} on link with index {}", kind, name, link);
}

// Calls `each` with the header and attributes of every entry of a dump.
Result<> dump(NetlinkSocket& socket, const ndmsg& header, std::optional<int> link,
              const std::function<void(const ndmsg&, const Attributes&)>& each) {
  Message request(RTM_GETNEIGH, 0);
  request.put_header(header);
  return socket.dump(request, "list neighbours", [&](const nlmsghdr& message) {
    const auto* entry = header_of<ndmsg>(message);
    if (entry == nullptr || (link && entry->ndm_ifindex != *link)) return;
    each(*entry, Attributes(message, sizeof *entry));
  });
}

Result<> request_proxy(NetlinkSocket& socket, uint16_t type, uint16_t flags,
                       const ProxyNeighbour& proxy) {
  ndmsg header{};
  header.ndm_family = family_number(proxy.address.family());
  header.ndm_ifindex = proxy.link;
  header.ndm_flags = NTF_PROXY;
  header.ndm_state = NUD_PERMANENT;
  Message request(type, flags);
  request.put_header(header);
  request.put(NDA_DST, proxy.address);
  return socket.execute(request, what("proxy neighbour", proxy.address.to_string(), proxy.link));
}

Result<> request_forwarding(NetlinkSocket& socket, uint16_t type, uint16_t flags,
                            const ForwardingEntry& entry) {
  ndmsg header{};
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = entry.link;
  header.ndm_flags = NTF_SELF;
  header.ndm_state = NUD_PERMANENT | NUD_NOARP;
  Message request(type, flags);
  request.put_header(header);
  request.put(NDA_LLADDR, entry.mac.bytes);
  request.put(NDA_DST, entry.remote);
  return socket.execute(request, what("forwarding entry", entry.mac.to_string(), entry.link));
}

}  // namespace

Result<> replace_neighbour(NetlinkSocket& socket, const Neighbour& neighbour) {
  ndmsg header{};
  header.ndm_family = family_number(neighbour.address.family());
  header.ndm_ifindex = neighbour.link;
  header.ndm_state = neighbour.permanent ? NUD_PERMANENT : NUD_REACHABLE;
  Message request(RTM_NEWNEIGH, k_replace);
  request.put_header(header);
  request.put(NDA_DST, neighbour.address);
  request.put(NDA_LLADDR, neighbour.mac.bytes);
  return socket.execute(request, what("neighbour", neighbour.address.to_string(), neighbour.link));
}

Result<> delete_neighbour(NetlinkSocket& socket, int link, const IPAddress& address) {
  ndmsg header{};
  header.ndm_family = family_number(address.family());
  header.ndm_ifindex = link;
  Message request(RTM_DELNEIGH, 0);
  request.put_header(header);
  request.put(NDA_DST, address);
  return socket.execute(request, what("neighbour", address.to_string(), link));
}

Result<std::vector<Neighbour>> list_neighbours(NetlinkSocket& socket, std::optional<int> link) {
  std::vector<Neighbour> neighbours;
  const auto each = [&](const ndmsg& entry, const Attributes& attributes) {
    const auto address = attributes.address(NDA_DST);
    const auto mac = parse_mac(attributes);
    if (!address || !mac || (entry.ndm_state & (NUD_FAILED | NUD_INCOMPLETE | NUD_NOARP)) != 0) {
      return;
    }
    neighbours.push_back({entry.ndm_ifindex, *address, *mac, entry.ndm_state == NUD_PERMANENT});
  };
  for (const uint8_t family : {uint8_t{AF_INET}, uint8_t{AF_INET6}}) {
    MARGAY_CHECK(dump(socket, {.ndm_family = family}, link, each));
  }
  return neighbours;
}

Result<> add_proxy_neighbour(NetlinkSocket& socket, const ProxyNeighbour& proxy) {
  return request_proxy(socket, RTM_NEWNEIGH, k_replace, proxy);
}

Result<> delete_proxy_neighbour(NetlinkSocket& socket, const ProxyNeighbour& proxy) {
  return request_proxy(socket, RTM_DELNEIGH, 0, proxy);
}

Result<std::vector<ProxyNeighbour>> list_proxy_neighbours(NetlinkSocket& socket, IPFamily family) {
  std::vector<ProxyNeighbour> proxies;
  const ndmsg header{.ndm_family = family_number(family), .ndm_flags = NTF_PROXY};
  MARGAY_CHECK(dump(socket, header, {}, [&](const ndmsg& entry, const Attributes& attributes) {
    const auto address = attributes.address(NDA_DST);
    if (address && (entry.ndm_flags & NTF_PROXY) != 0) {
      proxies.push_back({entry.ndm_ifindex, *address});
    }
  }));
  return proxies;
}

Result<> replace_forwarding_entry(NetlinkSocket& socket, const ForwardingEntry& entry) {
  return request_forwarding(socket, RTM_NEWNEIGH, k_replace, entry);
}

Result<> delete_forwarding_entry(NetlinkSocket& socket, const ForwardingEntry& entry) {
  return request_forwarding(socket, RTM_DELNEIGH, 0, entry);
}

Result<std::vector<ForwardingEntry>> list_forwarding_entries(NetlinkSocket& socket, int link) {
  std::vector<ForwardingEntry> entries;
  const auto each = [&](const ndmsg& entry, const Attributes& attributes) {
    const auto remote = attributes.address(NDA_DST);
    const auto mac = parse_mac(attributes);
    if (remote && mac) entries.push_back({entry.ndm_ifindex, *mac, *remote});
  };
  MARGAY_CHECK(dump(socket, {.ndm_family = AF_BRIDGE}, link, each));
  return entries;
}

}  // namespace margay::net
