#include "vector/session/flow_index.h"

#include <algorithm>

namespace margay::vector {
namespace {

// One overflow bucket for this many: measured need at the mean load is below one in thirty.
constexpr uint64_t k_buckets_for_one_overflow = 4;

}  // namespace

FlowIndex::FlowIndex(uint64_t most)
    : most_buckets_(std::max(k_first_buckets, most / k_mean_load + 1)) {
  buckets_ = MappedArray<Bucket>(most_buckets_);
  // Should hashes be unlucky, every reference can still be held in a chain.
  overflow_ = MappedArray<Bucket>(most_buckets_ / k_buckets_for_one_overflow + most / k_slots + 64);
}

uint32_t FlowIndex::take_overflow() {
  ++overflow_used_;
  if (overflow_free_ != 0) {
    const uint32_t taken = overflow_free_;
    overflow_free_ = overflow_[taken].next;
    overflow_[taken] = {};
    return taken;
  }
  if (overflow_top_ == overflow_.capacity()) {
    --overflow_used_;
    return 0;
  }
  return overflow_top_++;
}

void FlowIndex::free_overflow(uint32_t bucket) {
  --overflow_used_;
  overflow_[bucket] = {};
  overflow_[bucket].next = overflow_free_;
  overflow_free_ = bucket;
}

bool FlowIndex::put_in(uint64_t position, uint16_t signature, uint32_t reference) {
  Bucket* bucket = &buckets_[position];
  while (true) {
    uint32_t free = 0;  // without a branch for each: which slot it is cannot be guessed
    for (int slot = 0; slot < k_slots; ++slot)
      free |= uint32_t{bucket->reference[slot] == 0} << slot;
    if (free != 0) {
      const int slot = std::countr_zero(free);
      bucket->signature[slot] = signature;
      bucket->reference[slot] = reference;
      return true;
    }
    if (bucket->next == 0) {
      const uint32_t added = take_overflow();
      if (added == 0) return false;
      bucket->next = added;
    }
    bucket = &overflow_[bucket->next];
  }
}

void FlowIndex::clear() {
  buckets_.clear();
  overflow_.clear();
  low_mask_ = k_first_buckets - 1;
  split_ = size_ = overflow_used_ = 0;
  overflow_top_ = 1;
  overflow_free_ = 0;
}

bool FlowIndex::erase(uint64_t hash, uint32_t reference) {
  Bucket* before = nullptr;
  Bucket* bucket = &buckets_[position(hash)];
  while (true) {
    for (int slot = 0; slot < k_slots; ++slot) {
      if (bucket->reference[slot] != reference) continue;
      bucket->reference[slot] = 0;
      bucket->signature[slot] = 0;
      --size_;
      const bool empty = std::ranges::all_of(bucket->reference, [](uint32_t r) { return r == 0; });
      if (empty && before) {
        const uint32_t emptied = before->next;
        before->next = bucket->next;
        free_overflow(emptied);
      }
      return true;
    }
    if (bucket->next == 0) return false;
    before = bucket;
    bucket = &overflow_[bucket->next];
  }
}

}  // namespace margay::vector
