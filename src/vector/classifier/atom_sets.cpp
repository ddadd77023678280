#include "vector/classifier/atom_sets.h"

#include <algorithm>
#include <iterator>
#include <new>

namespace margay::vector {

size_t AtomSets::Content::operator()(auto key) const {
  uint64_t hash = 0x9e3779b97f4a7c15;
  for (const uint32_t atom : of(key)) {
    hash = (hash ^ atom) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32;
  }
  return hash;
}

bool AtomSets::Content::operator()(auto a, auto b) const {
  return std::ranges::equal(of(a), of(b));
}

AtomSets::AtomSets() : by_content_(16, Content{this}, Content{this}) {
  sets_.push_back({.atoms = {}, .references = 1, .used = true});
  by_content_.insert(k_empty);
}

bool AtomSets::has(uint32_t set, uint32_t atom) const {
  return std::ranges::binary_search(sets_[set].atoms, atom);
}

uint32_t AtomSets::with(uint32_t set, uint32_t atom) {
  if (has(set, atom)) return ref(set);
  const auto old = atoms(set);
  const auto place = std::ranges::lower_bound(old, atom);
  scratch_.assign(old.begin(), place);
  scratch_.push_back(atom);
  scratch_.insert(scratch_.end(), place, old.end());
  return intern(scratch_);
}

uint32_t AtomSets::without(uint32_t set, uint32_t atom) {
  if (!has(set, atom)) return ref(set);
  scratch_.clear();
  std::ranges::remove_copy(atoms(set), std::back_inserter(scratch_), atom);
  return intern(scratch_);
}

uint32_t AtomSets::united(uint32_t a, uint32_t b) {
  if (a == b || b == k_empty) return ref(a);
  if (a == k_empty) return ref(b);
  scratch_.clear();
  std::ranges::set_union(atoms(a), atoms(b), std::back_inserter(scratch_));
  return intern(scratch_);
}

uint32_t AtomSets::intern(std::span<const uint32_t> atoms) {
  if (const auto found = by_content_.find(atoms); found != by_content_.end()) return ref(*found);
  uint32_t set = bound();
  if (free_.empty()) {
    if (set == k_most) throw std::bad_alloc();
    sets_.emplace_back();
  } else {
    set = free_.back();
    free_.pop_back();
  }
  sets_[set].atoms.assign(atoms.begin(), atoms.end());
  sets_[set].references = 1;
  sets_[set].used = false;
  by_content_.insert(set);
  return set;
}

void AtomSets::unref(uint32_t set) {
  if (--sets_[set].references > 0) return;
  by_content_.erase(by_content_.find(set));
  sets_[set].atoms = {};
  free_.push_back(set);
}

size_t AtomSets::memory() const {
  size_t bytes = by_content_.bucket_count() * sizeof(void*);
  for (const uint32_t set : by_content_)
    bytes += sizeof(Entry) + 32 + sets_[set].atoms.capacity() * sizeof(uint32_t);
  return bytes;
}

}  // namespace margay::vector
