#include "net/conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "net/netlink.h"

namespace margay::net {
namespace {

using base::ErrorCode;
using base::IPAddress;
using base::IPFamily;
using base::Result;

constexpr uint16_t message_type(uint8_t operation) {
  return static_cast<uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | operation);
}

nfgenmsg header_for(IPFamily family) {
  return {.nfgen_family = family == IPFamily::v4 ? uint8_t{AF_INET} : uint8_t{AF_INET6},
          .version = NFNETLINK_V0,
          .res_id = 0};
}

// The places in a flow's two tuples that may hold an address. The masks are the kernel's
// CTA_FILTER_F_CTA_IP_*, which its headers for programs leave out.
struct Place {
  uint16_t tuple;  // of the flow as it came, or of its replies
  uint16_t v4, v6;
  uint32_t mask;
};
constexpr uint32_t k_source_mask = 1U << 0;
constexpr uint32_t k_destination_mask = 1U << 1;
constexpr std::array k_places{
    Place{CTA_TUPLE_ORIG, CTA_IP_V4_SRC, CTA_IP_V6_SRC, k_source_mask},
    Place{CTA_TUPLE_ORIG, CTA_IP_V4_DST, CTA_IP_V6_DST, k_destination_mask},
    Place{CTA_TUPLE_REPLY, CTA_IP_V4_SRC, CTA_IP_V6_SRC, k_source_mask},
    Place{CTA_TUPLE_REPLY, CTA_IP_V4_DST, CTA_IP_V6_DST, k_destination_mask},
};

using Addresses = std::set<IPAddress>;

// Lists the flows of a family.
Message request_for(IPFamily family) {
  Message request(message_type(IPCTNL_MSG_CT_GET), 0);
  request.put_header(header_for(family));
  return request;
}

// Lists the flows with this IPv4 address in this place.
Message request_for(const Place& place, const IPAddress& address) {
  Message request = request_for(IPFamily::v4);
  request.nest(place.tuple,
               [&] { request.nest(CTA_TUPLE_IP, [&] { request.put(place.v4, address); }); });
  request.nest(CTA_FILTER, [&] {
    const bool original = place.tuple == CTA_TUPLE_ORIG;
    request.put_u32(CTA_FILTER_ORIG_FLAGS, original ? place.mask : 0);
    request.put_u32(CTA_FILTER_REPLY_FLAGS, original ? 0 : place.mask);
  });
  return request;
}

bool names_any(const Attributes& flow, IPFamily family, const Addresses& addresses) {
  return std::ranges::any_of(k_places, [&](const Place& place) {
    const auto found = flow.nested(place.tuple)
                           .nested(CTA_TUPLE_IP)
                           .address(family == IPFamily::v4 ? place.v4 : place.v6);
    return found && addresses.contains(*found);
  });
}

// What the kernel needs to find an entry again: its tuple, zone, and id against reuse.
struct Flow {
  std::vector<uint8_t> tuple;
  std::optional<uint32_t> id;    // as it came: in network byte order
  std::optional<uint16_t> zone;  // the same
};

Flow flow_of(const Attributes& entry) {
  Flow flow{.tuple = {}, .id = entry.u32(CTA_ID), .zone = entry.u16(CTA_ZONE)};
  if (const auto tuple = entry.bytes(CTA_TUPLE_ORIG))
    flow.tuple.assign(tuple->begin(), tuple->end());
  return flow;
}

Result<> delete_flow(NetlinkSocket& socket, IPFamily family, const Flow& flow) {
  Message request(message_type(IPCTNL_MSG_CT_DELETE), 0);
  request.put_header(header_for(family));
  request.put(CTA_TUPLE_ORIG | NLA_F_NESTED, flow.tuple);
  if (flow.id) request.put_u32(CTA_ID, *flow.id);
  if (flow.zone) request.put_u16(CTA_ZONE, *flow.zone);
  const auto done = socket.execute(request, "forget tracked flow");
  if (!done && done.error().code != ErrorCode::not_found) return base::fail(done.error());
  return {};
}

// Those that the request lists, each as it comes: a pod may have as many as the table holds. The
// kernel walks its table once, so that this ends however fast flows are made meanwhile. A kernel
// that knows no filters lists every flow there is.
Result<> delete_listed(NetlinkSocket& lister, NetlinkSocket& deleter, Message request,
                       IPFamily family, const Addresses& addresses) {
  Result<> deleted;
  MARGAY_CHECK(lister.stream(request, "list tracked flows", [&](const nlmsghdr& entry) {
    const Attributes attributes(entry, sizeof(nfgenmsg));
    if (deleted && names_any(attributes, family, addresses))
      deleted = delete_flow(deleter, family, flow_of(attributes));
  }));
  return deleted;
}

}  // namespace

Result<Conntrack> Conntrack::open() {
  MARGAY_TRY(auto lister, NetlinkSocket::open(NETLINK_NETFILTER));
  MARGAY_TRY(auto deleter, NetlinkSocket::open(NETLINK_NETFILTER));
  return Conntrack(std::move(lister), std::move(deleter));
}

Result<> Conntrack::forget(std::span<const IPAddress> addresses) {
  std::map<IPFamily, Addresses> by_family;
  for (const IPAddress& address : addresses) by_family[address.family()].insert(address);
  for (const auto& [family, wanted] : by_family) {
    // Kernels up to at least 6.18 answer a filter by IPv6 address with the flows of all the others.
    if (family == IPFamily::v6 || wanted.size() > 1) {
      MARGAY_CHECK(delete_listed(lister_, deleter_, request_for(family), family, wanted));
      continue;
    }
    for (const Place& place : k_places)
      MARGAY_CHECK(
          delete_listed(lister_, deleter_, request_for(place, *wanted.begin()), family, wanted));
  }
  return {};
}

}  // namespace margay::net
