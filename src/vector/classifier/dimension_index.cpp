#include "vector/classifier/dimension_index.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace margay::vector {
namespace {

constexpr uint32_t k_block_atoms = 64;

size_t place_of(uint32_t block) { return block * size_t{0x9e3779b1}; }

}  // namespace

void DimensionIndex::add(uint32_t bit, std::span<const uint32_t> all,
                         std::span<const uint32_t> none) {
  if (all.empty()) scratch_[bit / 64] |= uint64_t{1} << bit % 64;
  const Kind kind = all.size() == 1 ? Kind::needs : Kind::needs_with_others;
  for (const uint32_t atom : all) asks_.push_back({atom, kind, bit});
  for (const uint32_t atom : none) asks_.push_back({atom, Kind::refuses, bit});
  if (all.size() > 1) needs_.emplace_back(bit, static_cast<uint32_t>(all.size()));
  refuses_any_ |= !none.empty();
}

void DimensionIndex::finish() {
  for (uint32_t word = 0; word < scratch_.size(); ++word)
    if (const uint64_t bits = std::exchange(scratch_[word], 0)) base_.push_back({word, bits});
  std::ranges::sort(asks_);
  std::ranges::sort(needs_);
  std::vector<uint32_t> atoms;
  const Ask* last = nullptr;
  for (const Ask& ask : asks_) {
    if (last == nullptr || last->atom != ask.atom) {
      atoms.push_back(ask.atom);
      first_word_.push_back(static_cast<uint32_t>(words_.size()));
    }
    if (last == nullptr || last->atom != ask.atom || last->kind != ask.kind ||
        last->bit / 64 != ask.bit / 64)
      words_.push_back({ask.bit / 64 & 0x3fffffff, static_cast<uint8_t>(ask.kind) & 3u, 0, 0});
    (ask.bit % 64 < 32 ? words_.back().low : words_.back().high) |= 1u << ask.bit % 32;
    last = &ask;
  }
  first_word_.push_back(static_cast<uint32_t>(words_.size()));
  number(atoms);
  of_one_.assign(atoms.size(), k_none);
  asks_ = {};
  first_word_.shrink_to_fit();
  words_.shrink_to_fit();
}

// `atoms` ascending: a local number is the place in it.
void DimensionIndex::number(const std::vector<uint32_t>& atoms) {
  std::vector<Block> blocks;
  for (uint32_t i = 0; i < atoms.size(); ++i) {
    const uint32_t block = atoms[i] / k_block_atoms;
    if (blocks.empty() || blocks.back().number != block) blocks.push_back({block, i, 0});
    blocks.back().asked |= uint64_t{1} << atoms[i] % k_block_atoms;
  }
  blocks_.assign(std::bit_ceil(blocks.size() + blocks.size() / 2 + 1), {});
  for (const Block& block : blocks) {
    size_t at = place_of(block.number);
    while (blocks_[at & (blocks_.size() - 1)].asked != 0) ++at;
    blocks_[at & (blocks_.size() - 1)] = block;
  }
}

uint32_t DimensionIndex::local(uint32_t atom) const {
  const uint64_t bit = uint64_t{1} << atom % k_block_atoms;
  for (size_t at = place_of(atom / k_block_atoms);; ++at) {
    const Block& block = blocks_[at & (blocks_.size() - 1)];
    if (block.asked == 0) return k_none;
    if (block.number != atom / k_block_atoms) continue;
    if ((block.asked & bit) == 0) return k_none;
    return block.first + static_cast<uint32_t>(std::popcount(block.asked & (bit - 1)));
  }
}

void DimensionIndex::project(std::span<const uint32_t> atoms,
                             std::vector<uint32_t>& projection) const {
  projection.clear();
  for (const uint32_t atom : atoms)
    if (const uint32_t found = local(atom); found != k_none) projection.push_back(found);
}

void DimensionIndex::each_word(uint32_t local_atom, Kind kind, auto visit) const {
  for (uint32_t i = first_word_[local_atom]; i < first_word_[local_atom + 1]; ++i)
    if (words_[i].kind == static_cast<uint32_t>(kind))
      visit(words_[i].word, uint64_t{words_[i].high} << 32 | words_[i].low);
}

void DimensionIndex::set(uint32_t word, uint64_t bits) {
  scratch_[word] |= bits;
  touched_[word / 64] |= uint64_t{1} << word % 64;
}

void DimensionIndex::set_with_others(std::span<const uint32_t> projection) {
  partial_.clear();
  for (const uint32_t atom : projection)
    each_word(atom, Kind::needs_with_others, [&](uint32_t word, uint64_t bits) {
      for (; bits != 0; bits &= bits - 1)
        partial_.push_back(word * 64 + static_cast<uint32_t>(std::countr_zero(bits)));
    });
  std::ranges::sort(partial_);
  for (auto first = partial_.begin(); first != partial_.end();) {
    const uint32_t bit = *first;
    const auto last = std::ranges::upper_bound(first, partial_.end(), bit);
    const auto needs = std::ranges::lower_bound(needs_, std::pair(bit, 0u));
    if (static_cast<uint32_t>(last - first) == needs->second)
      set(bit / 64, uint64_t{1} << bit % 64);
    first = last;
  }
}

std::span<const BitWord> DimensionIndex::bits(std::span<const uint32_t> projection) {
  for (const auto& [word, bits] : base_) set(word, bits);
  for (const uint32_t atom : projection)
    each_word(atom, Kind::needs, [this](uint32_t word, uint64_t bits) { set(word, bits); });
  if (!needs_.empty()) set_with_others(projection);
  if (refuses_any_)
    for (const uint32_t atom : projection)
      each_word(atom, Kind::refuses,
                [this](uint32_t word, uint64_t bits) { scratch_[word] &= ~bits; });
  result_.clear();
  for (uint32_t s = 0; s < touched_.size(); ++s)
    for (uint64_t words = std::exchange(touched_[s], 0); words != 0; words &= words - 1) {
      const uint32_t word = s * 64 + static_cast<uint32_t>(std::countr_zero(words));
      if (const uint64_t bits = std::exchange(scratch_[word], 0)) result_.push_back({word, bits});
    }
  return result_;
}

std::optional<uint32_t> DimensionIndex::remembered(std::span<const uint32_t> projection) const {
  if (projection.size() > 1) return of_many_.find(projection);
  const uint32_t vector = projection.empty() ? of_none_ : of_one_[projection[0]];
  return vector == k_none ? std::nullopt : std::optional(vector);
}

void DimensionIndex::remember(std::span<const uint32_t> projection, uint32_t vector) {
  if (projection.size() > 1)
    of_many_.add(projection, vector);
  else
    (projection.empty() ? of_none_ : of_one_[projection[0]]) = vector;
}

size_t DimensionIndex::memory() const {
  return (base_.capacity() + result_.capacity()) * sizeof(BitWord) +
         words_.capacity() * sizeof(AskedWord) + needs_.capacity() * 8 +
         blocks_.capacity() * sizeof(Block) +
         (first_word_.capacity() + of_one_.capacity() + partial_.capacity()) * 4 +
         (scratch_.capacity() + touched_.capacity()) * 8 + of_many_.memory();
}

}  // namespace margay::vector
