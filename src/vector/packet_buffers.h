#pragma once

// The packet buffers of an engine. With free hugepages they are DPDK's to place; without, in memory
// of our own on transparent huge pages: DPDK's would be of 4 KiB pages, one or two for each packet,
// and every node would wait for the page tables.

#include <rte_mempool.h>

#include <memory>
#include <string>

namespace margay::vector {

struct FreePool {
  void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
};
using PacketBuffers = std::unique_ptr<rte_mempool, FreePool>;

// Null: no memory, and rte_errno says why. `name` is the process's.
PacketBuffers make_packet_buffers(const std::string& name, unsigned count);

}  // namespace margay::vector
