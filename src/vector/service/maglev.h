#pragma once

// Consistent hashing by lookup table: Eisenbud et al., "Maglev: A Fast and Reliable Software
// Network Load Balancer" (NSDI 2016), section 3.4. Each backend has a permutation of the table's
// slots, made from a hash of its identity; backends take turns, in the order of their identities,
// at claiming the next slot of theirs that is still free. So the table is a function of the set of
// backends, whatever order they came in, and no backend has more than one slot more than another.
//
// Every table has 65537 slots. A size that followed the number of backends would move nearly all
// flows each time it changes; instead an entry has as few bits as can name the backends (1, 2,
// 4, 8 or 16), so that 3 backends cost 16 KiB and 10 cost 32. docs/decisions/0022-maglev-tables.md
//
// One control thread builds and shares tables; a table is immutable, and readable by any thread for
// as long as someone holds it.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/address.h"

namespace margay::vector {

inline constexpr uint32_t k_maglev_size = 65537;
inline constexpr size_t k_maglev_max_backends = 65535;

struct BackendIdentity {
  base::IPAddress address;
  uint16_t port = 0;

  auto operator<=>(const BackendIdentity&) const = default;
};

inline uint32_t maglev_slot(uint64_t hash) {
  return static_cast<uint32_t>(((hash >> 32) * k_maglev_size) >> 32);
}

// Entries of 2^log2_bits bits; none straddles a word.
struct MaglevView {
  const uint16_t* words = nullptr;
  uint8_t log2_bits = 0;

  const uint16_t* word(uint32_t slot) const { return words + ((slot << log2_bits) >> 4); }
  uint32_t at(uint32_t slot) const {
    return *word(slot) >> ((slot << log2_bits) & 15) & ((1U << (1U << log2_bits)) - 1);
  }
  // The index of a backend in the sorted set.
  uint32_t pick(uint64_t hash) const { return at(maglev_slot(hash)); }
};

// A backend's permutation: its k-th slot is offset + skip * k^3 modulo the size. The paper has k in
// the place of its cube; then in 7 of 3,000 sets of 3 to 10 backends two skips are so related that
// the backends meet all along, and removing one moves up to 3 % too much.
struct MaglevPermutation {
  uint32_t offset;  // below k_maglev_size
  uint32_t skip;    // 1 .. k_maglev_size - 1

  uint32_t slot(uint64_t k) const {
    const uint64_t cube = k * k % k_maglev_size * k % k_maglev_size;
    return static_cast<uint32_t>((offset + skip * cube) % k_maglev_size);
  }
};
MaglevPermutation maglev_permutation(const BackendIdentity& backend);

// For each slot the index of its owner in `backends`, which must be sorted and without duplicates,
// 1 to k_maglev_max_backends of them.
std::vector<uint16_t> build_maglev(std::span<const BackendIdentity> backends);

// Packed tables by set of backends; those in use are shared.
class MaglevTables {
 public:
  using Table = std::shared_ptr<const MaglevView>;

  MaglevTables();
  // As build_maglev. What is returned may outlive this object.
  Table get(std::span<const BackendIdentity> backends);

  // What the tables occupy, unused room in the slabs included.
  size_t bytes() const;
  size_t tables_built() const { return built_; }

 private:
  class Slabs;
  std::shared_ptr<Slabs> slabs_;
  std::map<std::vector<BackendIdentity>, std::weak_ptr<const MaglevView>> shared_;
  size_t built_ = 0;
  size_t sweep_at_ = 64;  // forget the sets no longer in use when there are so many
};

}  // namespace margay::vector
