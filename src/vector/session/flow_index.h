#pragma once

// Which record belongs to which hash: buckets of one cache line, grown by linear hashing (Litwin,
// "Linear hashing: a new tool for file and table addressing", VLDB 1980). Growth splits one bucket
// at a time, so no insertion is ever slow, and buckets never move in memory.
//
// It keeps 16 bits of a hash as signature; the caller compares the keys. Only the lower 32 bits of
// hashes count. One thread.

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <bit>
#include <cstdint>

#include "vector/mapping.h"

namespace margay::vector {

class FlowIndex {
 public:
  // References are any numbers but 0. `most` bounds how many may be held.
  explicit FlowIndex(uint64_t most);

  void prefetch(uint64_t hash) const { __builtin_prefetch(&buckets_[position(hash)]); }

  // The first reference with this signature in the hash's own bucket; 0: none.
  uint32_t first_candidate(uint64_t hash) const {
    const Bucket& bucket = buckets_[position(hash)];
    const uint32_t found = matches(bucket, signature(hash));
    return found == 0 ? 0 : bucket.reference[std::countr_zero(found) / 2];
  }
  // Whether find() could find more than first_candidate().
  bool has_more(uint64_t hash) const {
    const Bucket& bucket = buckets_[position(hash)];
    const uint32_t found = matches(bucket, signature(hash));
    return bucket.next != 0 || (found & (found - 1) & ~(found << 1)) != 0;
  }
  // The reference that `is_it(reference)` accepts; 0: none.
  template <typename Predicate>
  uint32_t find(uint64_t hash, Predicate is_it) const {
    for (const Bucket* bucket = &buckets_[position(hash)];; bucket = &overflow_[bucket->next]) {
      for (uint32_t found = matches(*bucket, signature(hash)); found != 0; found &= found - 1) {
        const int bit = std::countr_zero(found);
        if (bit % 2 != 0) continue;
        const uint32_t reference = bucket->reference[bit / 2];
        if (reference != 0 && is_it(reference)) return reference;
      }
      if (bucket->next == 0) return 0;
    }
  }

  // False: no room, which cannot be while no more than `most` are held. `records.hash(reference)`
  // gives back the hash that an earlier reference was inserted with, `records.prefetch(reference)`
  // comes before.
  template <typename Records>
  bool insert(uint64_t hash, uint32_t reference, const Records& records) {
    if (!put(hash, reference)) return false;
    if (++size_ > used_buckets() * k_mean_load) split(records);
    return true;
  }
  // The exact pair that was inserted.
  bool erase(uint64_t hash, uint32_t reference);

  // Forgets everything; memory goes back to the kernel.
  void clear();

  // How much of the buckets' memory is in use, told by the worker now and then; another thread has
  // more ready.
  void tell_growth() { frontier_.reach(used_buckets() * sizeof(Bucket)); }
  void populate() { frontier_.populate(buckets_.memory()); }

  uint64_t size() const { return size_; }
  // Bytes in use.
  uint64_t memory() const { return (used_buckets() + overflow_used_) * sizeof(Bucket); }

 private:
  static constexpr int k_slots = 10;
  static constexpr uint64_t k_mean_load = 4;
  static constexpr uint64_t k_first_buckets = 64;

  struct alignas(64) Bucket {
    uint16_t signature[k_slots];
    uint32_t next;  // in overflow_; 0: none
    uint32_t reference[k_slots];
  };
  static_assert(sizeof(Bucket) == 64);

  // Bits that a large table's positions use too: they tell where a reference goes in a split, and
  // its record need not be read. Ten of them are left to tell references apart in a table of four
  // million buckets.
  static constexpr int k_signature_shift = 16;
  static uint16_t signature(uint64_t hash) {
    return static_cast<uint16_t>(hash >> k_signature_shift);
  }
  // Two bits for each slot that has this signature.
  static uint32_t matches(const Bucket& bucket, uint16_t signature);

  uint64_t used_buckets() const { return low_mask_ + 1 + split_; }
  uint64_t position(uint64_t hash) const {
    const uint64_t low = hash & low_mask_;
    return low < split_ ? hash & (low_mask_ << 1 | 1) : low;
  }
  bool put(uint64_t hash, uint32_t reference) {
    return put_in(position(hash), signature(hash), reference);
  }
  bool put_in(uint64_t position, uint16_t signature, uint32_t reference);
  uint32_t take_overflow();
  void free_overflow(uint32_t bucket);
  template <typename Records>
  void split(const Records& records);

  MappedArray<Bucket> buckets_;
  MappedArray<Bucket> overflow_;  // [0] is not used
  Frontier frontier_;
  uint64_t most_buckets_;
  uint64_t low_mask_ = k_first_buckets - 1;
  uint64_t split_ = 0;  // buckets below this are split already
  uint64_t size_ = 0;
  uint64_t overflow_used_ = 0;
  uint32_t overflow_top_ = 1;
  uint32_t overflow_free_ = 0;
};

inline uint32_t FlowIndex::matches(const Bucket& bucket, uint16_t signature) {
#if defined(__AVX2__)
  const __m256i wanted = _mm256_set1_epi16(static_cast<short>(signature));
  const __m256i have = _mm256_load_si256(reinterpret_cast<const __m256i*>(&bucket));
  return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi16(have, wanted))) & 0xfffff;
#elif defined(__SSE2__)
  const __m128i wanted = _mm_set1_epi16(static_cast<short>(signature));
  const __m128i have = _mm_load_si128(reinterpret_cast<const __m128i*>(&bucket));
  const auto first = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi16(have, wanted)));
  return first | (bucket.signature[8] == signature ? 3U << 16 : 0U) |
         (bucket.signature[9] == signature ? 3U << 18 : 0U);
#else
  uint32_t found = 0;
  for (int slot = 0; slot < k_slots; ++slot)
    if (bucket.signature[slot] == signature) found |= 3U << (2 * slot);
  return found;
#endif
}

template <typename Records>
void FlowIndex::split(const Records& records) {
  if (used_buckets() >= most_buckets_) return;
  const uint64_t from = split_, to = from + low_mask_ + 1;
  const int bit = std::countr_one(low_mask_);  // of the hash: which of the two
  Bucket taken = buckets_[from];
  buckets_[from] = {};
  Bucket* const halves[2] = {&buckets_[from], &buckets_[to]};
  int filled[2] = {};  // of their slots, from the first
  if (++split_ > low_mask_) {
    low_mask_ = low_mask_ << 1 | 1;
    split_ = 0;
  }
  while (true) {
    if (bit < k_signature_shift)
      for (const uint32_t reference : taken.reference)
        if (reference != 0) records.prefetch(reference);
    for (int slot = 0; slot < k_slots; ++slot) {
      const uint32_t reference = taken.reference[slot];
      if (reference == 0) continue;
      const uint64_t bits = bit < k_signature_shift
                                ? records.hash(reference)
                                : uint64_t{taken.signature[slot]} << k_signature_shift;
      const size_t half = bits >> bit & 1;
      if (filled[half] == k_slots) {
        put_in(half == 0 ? from : to, taken.signature[slot], reference);
        continue;
      }
      halves[half]->signature[filled[half]] = taken.signature[slot];
      halves[half]->reference[filled[half]++] = reference;
    }
    if (taken.next == 0) return;
    const uint32_t next = taken.next;
    taken = overflow_[next];
    free_overflow(next);
  }
}

}  // namespace margay::vector
