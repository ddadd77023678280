#pragma once

// Short lists of numbers -> number, packed: a rule list remembers thousands.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace margay::vector {

class ProjectionMap {
 public:
  std::optional<uint32_t> find(std::span<const uint32_t> key) const {
    if (slots_.empty()) return std::nullopt;
    const uint32_t entry = slots_[slot_of(key)];
    if (entry == k_free) return std::nullopt;
    return entries_[entry + 1];
  }

  // The key must not be there.
  void add(std::span<const uint32_t> key, uint32_t value) {
    if (2 * (count_ + 1) > slots_.size()) grow();
    ++count_;
    const size_t slot = slot_of(key);
    slots_[slot] = static_cast<uint32_t>(entries_.size());
    entries_.push_back(static_cast<uint32_t>(key.size()));
    entries_.push_back(value);
    entries_.insert(entries_.end(), key.begin(), key.end());
  }

  void shrink() { entries_.shrink_to_fit(); }
  size_t memory() const { return (entries_.capacity() + slots_.capacity()) * sizeof(uint32_t); }

 private:
  static constexpr uint32_t k_free = ~uint32_t{0};

  std::span<const uint32_t> key_at(uint32_t entry) const {
    return {&entries_[entry] + 2, entries_[entry]};
  }
  // The key's slot, or a free one.
  size_t slot_of(std::span<const uint32_t> key) const {
    uint64_t hash = key.size();
    for (const uint32_t each : key) hash = (hash ^ each) * 0x9e3779b97f4a7c15;
    for (size_t slot = hash >> 32;; ++slot) {
      const uint32_t entry = slots_[slot & (slots_.size() - 1)];
      if (entry == k_free || std::ranges::equal(key_at(entry), key))
        return slot & (slots_.size() - 1);
    }
  }
  void grow() {
    slots_.assign(std::max<size_t>(16, slots_.size() * 2), k_free);
    for (uint32_t entry = 0; entry < entries_.size(); entry += 2 + entries_[entry])
      slots_[slot_of(key_at(entry))] = entry;
  }

  std::vector<uint32_t> entries_;  // length, value, key
  std::vector<uint32_t> slots_;    // where an entry begins
  size_t count_ = 0;
};

}  // namespace margay::vector
