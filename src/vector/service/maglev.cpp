#include "vector/service/maglev.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "vector/mapping.h"
#include "vector/service/flow_hash.h"

namespace margay::vector {
namespace {

// The slots not yet claimed, as bits.
class FreeSlots {
 public:
  FreeSlots() : words_((k_maglev_size + 63) / 64) {
    for (uint32_t slot = 0; slot < k_maglev_size; ++slot) words_[slot >> 6] |= bit(slot);
  }
  // 1 or 0.
  unsigned at(int32_t slot) const {
    return words_[static_cast<uint32_t>(slot) >> 6] >> (slot & 63) & 1;
  }
  void remove(uint32_t slot) { words_[slot >> 6] &= ~bit(slot); }

 private:
  static uint64_t bit(uint32_t slot) { return uint64_t{1} << (slot & 63); }
  std::vector<uint64_t> words_;
};

constexpr auto k_size = static_cast<int32_t>(k_maglev_size);
constexpr size_t k_lanes = 4;
using Lanes = int32_t __attribute__((vector_size(k_lanes * sizeof(int32_t))));

// The residue nearest to zero, so that products of two fit into 32 bits.
int32_t centred(uint64_t value) {
  const auto residue = static_cast<int32_t>(value % k_maglev_size);
  return residue > k_size / 2 ? residue - k_size : residue;
}

// k^3 for each k, and as many more as a walk looks ahead.
const std::vector<int32_t>& cubes() {
  static const auto values = [] {
    std::vector<int32_t> each(k_maglev_size + k_lanes);
    for (uint64_t k = 0; k < each.size(); ++k) each[k] = centred(k * k * k);
    return each;
  }();
  return values;
}

// Where a backend is in its permutation. Looks at four slots at once: whether the first of them is
// free is a coin toss that no branch predictor wins.
class Walk {
 public:
  explicit Walk(const MaglevPermutation& permutation)
      : offset_(centred(permutation.offset)), skip_(centred(permutation.skip)) {}

  uint32_t next(const FreeSlots& free) {
    for (;; at_ += k_lanes) {
      const Lanes slots = look_ahead();
      const unsigned found = free.at(slots[0]) | free.at(slots[1]) << 1 | free.at(slots[2]) << 2 |
                             free.at(slots[3]) << 3;
      if (found == 0) continue;
      const auto steps = static_cast<size_t>(std::countr_zero(found));
      at_ += steps + 1;
      return static_cast<uint32_t>(slots[steps]);
    }
  }

 private:
  // offset + skip * k^3 by arithmetic modulo 2^16 + 1, where 2^16 is -1.
  Lanes look_ahead() const {
    Lanes product;
    std::memcpy(&product, &cubes_[at_], sizeof product);
    product *= skip_;
    Lanes slots = (product & 0xffff) - (product >> 16) + offset_;
    slots += (slots < 0) & k_size;
    slots -= (slots >= k_size) & k_size;
    return slots;
  }

  const int32_t* cubes_ = cubes().data();
  size_t at_ = 0;
  int32_t offset_, skip_;
};

uint8_t log2_bits_for(size_t backends) {
  const auto bits = std::max<size_t>(1, std::bit_width(backends - 1));
  return static_cast<uint8_t>(std::bit_width(bits - 1));
}

size_t words_for(uint8_t log2_bits) { return ((size_t{k_maglev_size} << log2_bits) + 15) / 16; }

void pack(const std::vector<uint16_t>& owners, uint16_t* words, uint8_t log2_bits) {
  const unsigned bits = 1U << log2_bits;
  for (size_t slot = 0; slot < owners.size(); ++words) {
    unsigned word = 0;
    for (unsigned at = 0; at < 16 && slot < owners.size(); at += bits, ++slot)
      word |= unsigned{owners[slot]} << at;
    *words = static_cast<uint16_t>(word);
  }
}

}  // namespace

MaglevPermutation maglev_permutation(const BackendIdentity& backend) {
  const auto bytes = address_bytes(backend.address);
  const uint64_t rest = uint64_t{backend.port} | uint64_t{backend.address.is_v6()} << 16;
  const uint64_t hash = hash_address(bytes, k_pi[6], k_pi[7]) ^ rest;
  return {static_cast<uint32_t>(base::folded_multiply(hash, k_pi[0]) % k_maglev_size),
          static_cast<uint32_t>(base::folded_multiply(hash, k_pi[1]) % (k_maglev_size - 1) + 1)};
}

std::vector<uint16_t> build_maglev(std::span<const BackendIdentity> backends) {
  std::vector<uint16_t> owners(k_maglev_size);
  if (backends.size() == 1) return owners;
  std::vector<Walk> walks;
  for (const auto& each : backends) walks.emplace_back(maglev_permutation(each));
  FreeSlots free;
  size_t turn = 0;
  for (uint32_t left = k_maglev_size; left != 0; --left) {
    const uint32_t slot = walks[turn].next(free);
    free.remove(slot);
    owners[slot] = static_cast<uint16_t>(turn);
    turn = turn + 1 == walks.size() ? 0 : turn + 1;
  }
  return owners;
}

// Room for packed tables, in pieces of one size for each width of entry, on large pages.
class MaglevTables::Slabs {
 public:
  uint16_t* allocate(uint8_t log2_bits) {
    auto& free = free_[log2_bits];
    if (free.empty()) grow(log2_bits);
    uint16_t* piece = free.back();
    free.pop_back();
    return piece;
  }
  void release(uint16_t* piece, uint8_t log2_bits) { free_[log2_bits].push_back(piece); }
  size_t bytes() const {
    size_t sum = 0;
    for (const auto& each : slabs_) sum += each.bytes();
    return sum;
  }

 private:
  void grow(uint8_t log2_bits) {
    constexpr size_t k_slab = size_t{4} << 20;
    constexpr size_t k_line = 64;
    const size_t piece = (words_for(log2_bits) * sizeof(uint16_t) + k_line - 1) / k_line * k_line;
    auto* start = static_cast<char*>(slabs_.emplace_back(k_slab).address());
    for (size_t i = k_slab / piece; i-- != 0;)
      free_[log2_bits].push_back(reinterpret_cast<uint16_t*>(start + i * piece));
  }

  std::vector<Mapping> slabs_;
  std::array<std::vector<uint16_t*>, 5> free_;
};

MaglevTables::MaglevTables() : slabs_(std::make_shared<Slabs>()) {}

size_t MaglevTables::bytes() const { return slabs_->bytes(); }

MaglevTables::Table MaglevTables::get(std::span<const BackendIdentity> backends) {
  // All tables of one backend are the same.
  std::vector<BackendIdentity> set;
  if (backends.size() > 1) set.assign(backends.begin(), backends.end());
  auto& known = shared_[set];
  if (auto table = known.lock()) return table;

  const uint8_t log2_bits = log2_bits_for(backends.size());
  uint16_t* words = slabs_->allocate(log2_bits);
  pack(build_maglev(backends), words, log2_bits);
  ++built_;
  Table table(new MaglevView{words, log2_bits}, [slabs = slabs_](const MaglevView* view) {
    slabs->release(const_cast<uint16_t*>(view->words), view->log2_bits);
    delete view;
  });
  known = table;
  if (shared_.size() >= sweep_at_) {
    std::erase_if(shared_, [](const auto& each) { return each.second.expired(); });
    sweep_at_ = std::max<size_t>(64, 2 * shared_.size());
  }
  return table;
}

}  // namespace margay::vector
