#include "net/interface_address.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "net/netlink.h"

namespace margay::net {
namespace {

using base::Result;

Result<> request_address(NetlinkSocket& socket, uint16_t type, uint16_t flags,
                         const InterfaceAddress& address) {
  ifaddrmsg header{};
  header.ifa_family = address.address.is_v4() ? AF_INET : AF_INET6;
  header.ifa_prefixlen = static_cast<uint8_t>(address.prefix_length);
  header.ifa_index = static_cast<uint32_t>(address.link);
  header.ifa_scope = address.link_scope ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  Message request(type, flags);
  request.put_header(header);
  request.put(IFA_LOCAL, address.address);
  request.put(IFA_ADDRESS, address.address);
  if (address.no_duplicate_detection) request.put_u32(IFA_FLAGS, IFA_F_NODAD);
  return socket.execute(
      request, fmt::format("address {}/{} on link with index {}", address.address.to_string(),
                           address.prefix_length, address.link));
}

}  // namespace

std::optional<InterfaceAddress> parse_address(const nlmsghdr& message) {
  const auto* header = header_of<ifaddrmsg>(message);
  if (header == nullptr) return std::nullopt;
  const Attributes attributes(message, sizeof *header);
  // On a point-to-point interface IFA_ADDRESS is the other side's.
  auto local = attributes.address(IFA_LOCAL);
  if (!local) local = attributes.address(IFA_ADDRESS);
  if (!local) return std::nullopt;
  const uint32_t flags = attributes.u32(IFA_FLAGS).value_or(header->ifa_flags);
  return InterfaceAddress{.link = static_cast<int>(header->ifa_index),
                          .address = *local,
                          .prefix_length = header->ifa_prefixlen,
                          .link_scope = header->ifa_scope == RT_SCOPE_LINK,
                          .no_duplicate_detection = (flags & IFA_F_NODAD) != 0,
                          .tentative = (flags & IFA_F_TENTATIVE) != 0};
}

Result<> add_address(NetlinkSocket& socket, const InterfaceAddress& address) {
  return request_address(socket, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, address);
}

Result<> delete_address(NetlinkSocket& socket, const InterfaceAddress& address) {
  return request_address(socket, RTM_DELADDR, 0, address);
}

Result<std::vector<InterfaceAddress>> list_addresses(NetlinkSocket& socket,
                                                     std::optional<int> link) {
  std::vector<InterfaceAddress> addresses;
  Message request(RTM_GETADDR, 0);
  request.put_header(ifaddrmsg{});
  MARGAY_CHECK(socket.dump(request, "list addresses", [&](const nlmsghdr& message) {
    const auto address = parse_address(message);
    if (address && (!link || address->link == *link)) addresses.push_back(*address);
  }));
  return addresses;
}

}  // namespace margay::net
