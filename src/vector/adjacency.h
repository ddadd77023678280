#pragma once

// Where packets go: the interface, and the Ethernet header to leave with. What workers read is
// immutable and published by one store; a change makes a new one and releases the old through RCU,
// so that an index stays the same for routes and sessions that hold it.

#include <array>
#include <atomic>
#include <cstdint>

#include "net/mac_address.h"
#include "vector/mapping.h"

namespace margay::vector {

using InterfaceIndex = uint16_t;
using AdjacencyIndex = uint16_t;
inline constexpr size_t k_most_adjacencies = 65536;
inline constexpr size_t k_most_interfaces = 4096;

using net::MacAddress;

struct alignas(64) Adjacency {
  enum class Kind : uint8_t {
    none,         // no route: what an index means before and after it is used
    transit,      // a next hop beyond an uplink: no policy of ours
    workload,     // a local endpoint
    local,        // one of the engine's own addresses
    service,      // addresses that services have: never a place to send to
    unreachable,  // ours, but nobody has it
  };
  Kind kind = Kind::none;
  bool has_neighbour = false;  // `ethernet` is known
  InterfaceIndex interface = 0;
  uint16_t mtu = 0;                    // of the IP packet
  std::array<uint8_t, 12> ethernet{};  // destination and source
  uint32_t endpoint = ~uint32_t{0};    // workload: its number in the classifier
};

struct alignas(64) Interface {
  enum class Kind : uint8_t {
    none,  // what an index means before an interface is added and after it is removed
    memory,
    ethdev,
  };
  Kind kind = Kind::none;
  bool is_workload = false;
  MacAddress mac{};
  uint16_t mtu = 1500;
  uint16_t port = 0;             // ethdev: DPDK's
  AdjacencyIndex adjacency = 0;  // workload: of its endpoint; 0 while it has none
};

// An array of published values by index, for up to as many as it was made for.
template <typename Value>
class Published {
 public:
  explicit Published(size_t capacity) : entries_(capacity) {}
  const Value* operator[](size_t index) const {
    const Value* value = entries_[index].load(std::memory_order_acquire);
    return value ? value : &k_nothing;
  }
  // Returns what stood there, which workers may still read: release it through RCU. Null: nothing.
  const Value* exchange(size_t index, const Value* value) {
    return entries_[index].exchange(value, std::memory_order_acq_rel);
  }
  size_t capacity() const { return entries_.capacity(); }

 private:
  static constexpr Value k_nothing{};
  MappedArray<std::atomic<const Value*>> entries_;
};

}  // namespace margay::vector
