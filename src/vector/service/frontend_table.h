#pragma once

// Exact lookup of a packet's destination: (address, protocol, port) -> what to do with a new flow.
// Open addressing; a slot holds 32 bits of hash and the number of a record, and a record is one
// cache line with everything a choice begins with. A key without port and protocol, and with a mark
// in the family that no packet has, stands for an address itself: it belongs to services, whatever
// the port.
//
// One control thread writes; workers read without locks between quiescent states. A change is one
// release store. A record that is replaced, and the slots when they have been made anew, are freed
// when the readers have passed (Rcu).

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "vector/mapping.h"
#include "vector/rcu.h"
#include "vector/service/flow_hash.h"
#include "vector/service/recycled_numbers.h"

namespace margay::vector {

class SourceRanges;
struct BackendRecord;

enum FrontendFlag : uint8_t {
  k_frontend_masquerade = 1 << 0,
  k_frontend_affinity = 1 << 1,
};

struct FrontendKey {
  AddressBytes address{};
  uint16_t port = 0;
  uint8_t protocol = 0;
  uint8_t family = 4;

  static FrontendKey of_address(const AddressBytes& address, uint8_t family) {
    return {.address = address, .family = static_cast<uint8_t>(family | 0x80)};
  }
  bool operator==(const FrontendKey& other) const { return std::memcmp(this, &other, 20) == 0; }
  bool operator<(const FrontendKey& other) const { return std::memcmp(this, &other, 20) < 0; }
  uint64_t hash() const {
    return hash_frontend(hash_service_address(address), port, protocol, family);
  }
};
static_assert(sizeof(FrontendKey) == 20, "compared as bytes, without padding");

struct alignas(64) FrontendRecord {
  FrontendKey key;
  uint8_t flags = 0;           // FrontendFlag
  uint8_t log2_bits = 0;       // of a table entry: MaglevView
  uint16_t backend_count = 0;  // 0: nobody serves it
  uint32_t service = 0;
  uint32_t affinity_serial = 0;     // names the service in affinity tables; never used again
  const uint16_t* words = nullptr;  // MaglevView
  const BackendRecord* backends = nullptr;      // sorted by identity
  const SourceRanges* source_ranges = nullptr;  // null: for everyone
  uint32_t affinity_seconds = 0;
  uint32_t unused = 0;
};
static_assert(sizeof(FrontendRecord) == 64);

class FrontendTable {
 public:
  // The caller sees to it that there are never more than `limit` records.
  FrontendTable(Rcu* rcu, uint32_t limit);
  ~FrontendTable();

  // Control thread. Adds the record or replaces that of the same key.
  void set(const FrontendRecord& record);
  void erase(const FrontendKey& key);
  uint32_t size() const { return size_; }

  // Workers: `slots()` once for a batch, then by hash; prefetch first the slot, then the record.
  class Slots {
   public:
    void prefetch(uint64_t hash) const { __builtin_prefetch(&entries_[hash & mask_]); }

   private:
    friend class FrontendTable;
    explicit Slots(uint32_t count);
    // hash's upper half << 32 | record number; 0 is free; k_gone was used: readers go on.
    std::unique_ptr<std::atomic<uint64_t>[]> entries_;
    uint64_t mask_;
    uint32_t used_ = 0;  // those that are not free
  };
  const Slots& slots() const { return *slots_.load(std::memory_order_acquire); }
  // Of the record that most probably is it.
  void prefetch(const Slots& slots, uint64_t hash) const;
  // Null when there is none. `hash` is key.hash().
  const FrontendRecord* find(const Slots& slots, const FrontendKey& key, uint64_t hash) const;
  const FrontendRecord* find(const FrontendKey& key) const {
    return find(slots(), key, key.hash());
  }

 private:
  static constexpr uint64_t k_gone = uint64_t{1} << 32;  // no record has number 0
  std::atomic<uint64_t>* locate(const FrontendKey& key, uint64_t hash);
  void insert(Slots* slots, uint64_t entry, uint64_t hash);
  void renew_slots();

  Rcu* rcu_;
  RecycledNumbers numbers_;
  MappedArray<FrontendRecord> records_;
  std::atomic<Slots*> slots_;
  uint32_t size_ = 0;
};

inline void FrontendTable::prefetch(const Slots& slots, uint64_t hash) const {
  for (uint64_t at = hash;; ++at) {
    const uint64_t entry = slots.entries_[at & slots.mask_].load(std::memory_order_acquire);
    if (entry == 0) return;
    if ((entry ^ hash) >> 32 == 0)
      return __builtin_prefetch(&records_[static_cast<uint32_t>(entry)]);
  }
}

inline const FrontendRecord* FrontendTable::find(const Slots& slots, const FrontendKey& key,
                                                 uint64_t hash) const {
  for (uint64_t at = hash;; ++at) {
    const uint64_t entry = slots.entries_[at & slots.mask_].load(std::memory_order_acquire);
    if (entry == 0) return nullptr;
    if (((entry ^ hash) >> 32) != 0) continue;
    const auto number = static_cast<uint32_t>(entry);
    if (number != 0 && records_[number].key == key) return &records_[number];
  }
}

}  // namespace margay::vector
