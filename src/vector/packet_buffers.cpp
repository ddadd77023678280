#include "vector/packet_buffers.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#include <new>

#include "vector/mapping.h"

namespace margay::vector {
namespace {

constexpr unsigned k_cached = 512;  // by each worker
constexpr size_t k_element_bytes = sizeof(rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE;

void unmap(rte_mempool_memhdr* /*chunk*/, void* mapping) { delete static_cast<Mapping*>(mapping); }

// All of them in one chunk. Without hugepages, DPDK's IO addresses are virtual ones.
bool populate(rte_mempool& pool) try {
  rte_mempool_objsz sizes;
  const size_t element = rte_mempool_calc_obj_size(k_element_bytes, pool.flags, &sizes);
  auto* mapping = new Mapping(element * pool.size + RTE_MEMPOOL_ALIGN);
  auto* address = static_cast<char*>(mapping->address());
  const int populated = rte_mempool_populate_iova(
      &pool, address, reinterpret_cast<rte_iova_t>(address), mapping->bytes(), unmap, mapping);
  if (populated <= 0) delete mapping;  // else it is the pool's
  return populated == static_cast<int>(pool.size);
} catch (const std::bad_alloc&) {
  return false;
}

}  // namespace

PacketBuffers make_packet_buffers(const std::string& name, unsigned count) {
  if (rte_eal_has_hugepages())
    return PacketBuffers(rte_pktmbuf_pool_create(name.c_str(), count, k_cached, 0,
                                                 RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY));
  // A buffer may cross a page: else DPDK puts one in each.
  PacketBuffers pool(rte_mempool_create_empty(name.c_str(), count, k_element_bytes, k_cached,
                                              sizeof(rte_pktmbuf_pool_private), SOCKET_ID_ANY,
                                              RTE_MEMPOOL_F_NO_IOVA_CONTIG));
  if (!pool) return nullptr;
  if (const int refused =
          rte_mempool_set_ops_byname(pool.get(), rte_mbuf_best_mempool_ops(), nullptr)) {
    rte_errno = -refused;
    return nullptr;
  }
  rte_pktmbuf_pool_init(pool.get(), nullptr);
  if (!populate(*pool)) {
    rte_errno = ENOMEM;
    return nullptr;
  }
  rte_mempool_obj_iter(pool.get(), rte_pktmbuf_init, nullptr);
  return pool;
}

}  // namespace margay::vector
