#pragma once

// (address, protocol, port) -> value, by exact match. One control thread writes in place, workers
// look up without waiting: a slot's key is written once in the life of a table, before its value is
// published. A fuller table replaces this one by RCU.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "policy/program.h"
#include "vector/rcu.h"

namespace margay::vector {

class NamedPortTable {
 public:
  explicit NamedPortTable(Rcu& rcu);
  ~NamedPortTable();
  NamedPortTable(const NamedPortTable&) = delete;
  NamedPortTable& operator=(const NamedPortTable&) = delete;

  // `address`: 4 or 16 bytes in network order, as `family` (4 or 6) says. 0: nothing.
  uint32_t lookup(uint8_t family, const uint8_t* address, uint8_t protocol, uint16_t port) const {
    const Slots* slots = slots_.load(std::memory_order_acquire);
    const uint32_t stored = slots->find(key_of(family, address, protocol, port)).stored;
    return stored == 0 ? 0 : stored - 1;
  }

  void set(const policy::SetMember& member, uint32_t value);
  void erase(const policy::SetMember& member) { set(member, 0); }

  size_t memory() const { return (slots_.load()->mask + 1) * sizeof(Slot); }

 private:
  struct Key {
    uint64_t words[3];
    bool operator==(const Key&) const = default;
  };
  struct Slot {
    Key key;
    std::atomic<uint32_t> value{0};  // 0: free; otherwise one more than the value
  };
  struct Slots {
    size_t mask;
    std::unique_ptr<Slot[]> at;
    // The key's slot, or a free one, and what was stored there.
    struct Found {
      Slot& slot;
      uint32_t stored;
    };
    Found find(const Key& key) const {
      uint64_t hash = key.words[0] * 0x9e3779b97f4a7c15 ^ key.words[1] * 0xc2b2ae3d27d4eb4f ^
                      key.words[2] * 0x165667b19e3779f9;
      hash ^= hash >> 29;
      hash *= 0xff51afd7ed558ccd;
      for (size_t i = hash >> 32;; ++i) {
        Slot& slot = at[i & mask];
        const uint32_t stored = slot.value.load(std::memory_order_acquire);
        if (stored == 0 || slot.key == key) return {slot, stored};
      }
    }
  };
  static Key key_of(uint8_t family, const uint8_t* address, uint8_t protocol, uint16_t port) {
    Key key{};
    std::memcpy(key.words, address, family == 4 ? 4 : 16);
    key.words[2] = uint64_t{family} << 32 | uint64_t{protocol} << 16 | port;
    return key;
  }
  static Slots* make(size_t slots) { return new Slots{slots - 1, std::make_unique<Slot[]>(slots)}; }
  void rebuild();

  Rcu& rcu_;
  std::atomic<Slots*> slots_;
  size_t used_ = 0;  // slots with a key
  size_t live_ = 0;  // with a value as well
};

}  // namespace margay::vector
