#include "net/conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <vector>

#include "net/netlink.h"

namespace margay::net {
namespace {

using base::ErrorCode;
using base::IPAddress;
using base::Result;

constexpr uint16_t message_type(uint8_t operation) {
  return static_cast<uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | operation);
}

nfgenmsg header_for(const IPAddress& address) {
  return {.nfgen_family = address.is_v4() ? uint8_t{AF_INET} : uint8_t{AF_INET6},
          .version = NFNETLINK_V0,
          .res_id = 0};
}

bool names(const Attributes& tuple, const IPAddress& address) {
  const Attributes ends = tuple.nested(CTA_TUPLE_IP);
  const auto source = ends.address(address.is_v4() ? CTA_IP_V4_SRC : CTA_IP_V6_SRC);
  const auto destination = ends.address(address.is_v4() ? CTA_IP_V4_DST : CTA_IP_V6_DST);
  return source == address || destination == address;
}

// What the kernel needs to find the entry again: its tuple, zone, and id against reuse.
Message deletion_of(const nlmsghdr& entry, const IPAddress& address) {
  const Attributes attributes(entry, sizeof(nfgenmsg));
  Message request(message_type(IPCTNL_MSG_CT_DELETE), 0);
  request.put_header(header_for(address));
  if (const auto tuple = attributes.bytes(CTA_TUPLE_ORIG)) {
    request.put(CTA_TUPLE_ORIG | NLA_F_NESTED, *tuple);
  }
  for (const uint16_t type : {uint16_t{CTA_ID}, uint16_t{CTA_ZONE}}) {
    if (const auto value = attributes.bytes(type)) request.put(type, *value);
  }
  return request;
}

}  // namespace

Result<size_t> delete_conntrack_flows(NetlinkSocket& socket, const IPAddress& address) {
  std::vector<Message> deletions;
  Message request(message_type(IPCTNL_MSG_CT_GET), 0);
  request.put_header(header_for(address));
  MARGAY_CHECK(socket.dump(request, "list tracked flows", [&](const nlmsghdr& entry) {
    const Attributes attributes(entry, sizeof(nfgenmsg));
    if (names(attributes.nested(CTA_TUPLE_ORIG), address) ||
        names(attributes.nested(CTA_TUPLE_REPLY), address)) {
      deletions.push_back(deletion_of(entry, address));
    }
  }));
  size_t deleted = 0;
  for (Message& deletion : deletions) {
    const auto done = socket.execute(deletion, "forget tracked flow of " + address.to_string());
    if (!done && done.error().code != ErrorCode::not_found) return base::fail(done.error());
    if (done) ++deleted;
  }
  return deleted;
}

}  // namespace margay::net
