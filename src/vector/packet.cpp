#include "vector/packet.h"

#include <rte_errno.h>

#include <cstddef>

namespace margay::vector {

base::Result<> reserve_packet_meta() {
  const rte_mbuf_dynfield field = {.name = "margay_packet_meta",
                                   .size = sizeof(PacketMeta),
                                   .align = alignof(PacketMeta),
                                   .flags = 0};
  const int offset = rte_mbuf_dynfield_register_offset(&field, offsetof(rte_mbuf, dynfield1));
  if (offset != static_cast<int>(offsetof(rte_mbuf, dynfield1)))
    return base::fail(
        base::ErrorCode::unavailable,
        std::string("no room for packet metadata in DPDK's buffers: ") + rte_strerror(rte_errno));
  return {};
}

}  // namespace margay::vector
