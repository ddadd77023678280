#pragma once

// What a worker has of its own for services: whom its clients are bound to, and its counters.

#include <atomic>
#include <cstdint>

#include "vector/mapping.h"
#include "vector/service/affinity_table.h"

namespace margay::vector {

struct ServiceCounts {
  uint64_t flows = 0, refused = 0;

  ServiceCounts& operator+=(const ServiceCounts& other);
  ServiceCounts& operator-=(const ServiceCounts& other);
  bool operator==(const ServiceCounts&) const = default;
};

// Written by one worker, read by the control thread. Never set back: who reads subtracts what was
// there when the index came into use.
struct ServiceCounter {
  std::atomic<uint64_t> flows, refused;

  static void add(std::atomic<uint64_t>* counter, uint64_t amount) {
    counter->store(counter->load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  ServiceCounts read() const {
    return {flows.load(std::memory_order_relaxed), refused.load(std::memory_order_relaxed)};
  }
};
static_assert(sizeof(ServiceCounter) == 16);

struct ServiceLimits {
  uint32_t services = 1 << 16;
  uint32_t backends = 1 << 20;          // of all services together
  uint32_t frontends = 1 << 18;         // and their addresses
  uint32_t affinity_clients = 1 << 16;  // remembered by each worker
};

struct ServiceWorker {
  ServiceWorker(const ServiceLimits& limits, uint64_t affinity_seed)
      : affinity(limits.affinity_clients, affinity_seed),
        services(2 * size_t{limits.services} + 1),
        backends(2 * size_t{limits.backends} + 1) {}

  AffinityTable affinity;
  MappedArray<ServiceCounter> services;  // by Choice::service
  MappedArray<ServiceCounter> backends;  // by backend_index(Choice::backend)
};

// A backend of a service has a number that says which time its index is used, so that a session
// that outlived its backend does not take the index's next user for it: 22 bits of index, 10 of
// the count.
inline constexpr uint32_t k_backend_index_bits = 22;
inline constexpr uint32_t backend_index(uint32_t backend) {
  return backend & ((1U << k_backend_index_bits) - 1);
}

inline ServiceCounts& ServiceCounts::operator+=(const ServiceCounts& other) {
  flows += other.flows;
  refused += other.refused;
  return *this;
}

inline ServiceCounts& ServiceCounts::operator-=(const ServiceCounts& other) {
  flows -= other.flows;
  refused -= other.refused;
  return *this;
}

}  // namespace margay::vector
