#pragma once

// Which conjunctions of a rule list hold for a class in one dimension. Control thread only.

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "vector/classifier/projection_map.h"

namespace margay::vector {

struct BitWord {
  uint32_t word;
  uint64_t bits;
};

class DimensionIndex {
 public:
  // `bits`: how many there are in the list, with gaps.
  explicit DimensionIndex(uint32_t bits)
      : scratch_((bits + 63) / 64), touched_((bits + 4095) / 4096) {}

  // The atoms that must hold, and those that must not.
  void add(uint32_t bit, std::span<const uint32_t> all, std::span<const uint32_t> none);
  // After the last `add`.
  void finish();

  bool names(uint32_t atom) const { return local(atom) != k_none; }
  // Only the atoms that matter here, as numbers of this index. Classes for which they are equal
  // have equal bits.
  void project(std::span<const uint32_t> atoms, std::vector<uint32_t>& projection) const;

  // The bits that hold: words that are not zero, ascending. Until the next call.
  std::span<const BitWord> bits(std::span<const uint32_t> projection);

  // What has been made of a projection before.
  std::optional<uint32_t> remembered(std::span<const uint32_t> projection) const;
  void remember(std::span<const uint32_t> projection, uint32_t vector);
  // Gives back what only many additions needed.
  void shrink() { of_many_.shrink(); }
  size_t memory() const;

 private:
  static constexpr uint32_t k_none = ~uint32_t{0};
  enum class Kind : uint8_t { needs, needs_with_others, refuses };
  struct Ask {
    uint32_t atom;
    Kind kind;
    uint32_t bit;
    auto operator<=>(const Ask&) const = default;
  };
  // 64 atoms that follow each other: which of them are asked, and the local number of the first.
  struct Block {
    uint32_t number, first;
    uint64_t asked;  // 0: a free place
  };
  struct AskedWord {
    uint32_t word : 30;
    uint32_t kind : 2;
    uint32_t low, high;  // bits
  };

  void number(const std::vector<uint32_t>& atoms);
  uint32_t local(uint32_t atom) const;
  void each_word(uint32_t local_atom, Kind kind, auto visit) const;
  void set(uint32_t word, uint64_t bits);
  // Those conjunctions that need several atoms, which are all there.
  void set_with_others(std::span<const uint32_t> projection);

  std::vector<BitWord> base_;                         // of the conjunctions that need no atom
  std::vector<Ask> asks_;                             // until `finish`
  std::vector<AskedWord> words_;                      // by atom, kind, word
  std::vector<uint32_t> first_word_;                  // by local number, and the end
  std::vector<std::pair<uint32_t, uint32_t>> needs_;  // (bit, how many), where more than one
  std::vector<Block> blocks_;                         // a hash table of atom -> local number
  bool refuses_any_ = false;
  uint32_t of_none_ = k_none;
  std::vector<uint32_t> of_one_;
  ProjectionMap of_many_;
  std::vector<uint64_t> scratch_, touched_;  // zero between calls
  std::vector<uint32_t> partial_;
  std::vector<BitWord> result_;
};

}  // namespace margay::vector
