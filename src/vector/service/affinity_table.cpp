#include "vector/service/affinity_table.h"

#include <algorithm>
#include <bit>

namespace margay::vector {

AffinityTable::AffinityTable(uint32_t capacity, uint64_t seed)
    : seed_(seed),
      mask_(std::bit_ceil(uint64_t{std::max(capacity, k_ways)}) / k_ways - 1),
      buckets_(mask_ + 1),
      entries_((mask_ + 1) * k_ways) {}

AffinityTable::Entry* AffinityTable::locate(const AffinityKey& key, uint64_t hash) {
  const uint64_t bucket = hash & mask_;
  for (uint32_t way = 0; way < k_ways; ++way) {
    if (buckets_[bucket].tags[way] != tag_of(hash)) continue;
    Entry& found = entry(bucket, way);
    if (found.service_serial == key.service_serial && found.family == key.family &&
        found.client == key.client)
      return &found;
  }
  return nullptr;
}

AffinityBackend* AffinityTable::find(const AffinityKey& key, uint64_t hash, uint64_t now_ms) {
  Entry* const found = locate(key, hash);
  if (!found || found->until_ms <= now_ms) return nullptr;
  found->asked_for = true;
  return &found->backend;
}

void AffinityTable::remember(const AffinityKey& key, uint64_t hash, const AffinityBackend& backend,
                             uint64_t now_ms, uint64_t until_ms) {
  Entry* target = locate(key, hash);
  if (!target) {
    const uint64_t bucket = hash & mask_;
    const uint32_t way = make_room(bucket, now_ms);
    buckets_[bucket].tags[way] = tag_of(hash);
    target = &entry(bucket, way);
  }
  *target = {key.client, backend, key.service_serial, key.family, true, until_ms};
}

uint32_t AffinityTable::make_room(uint64_t bucket, uint64_t now_ms) {
  auto& [tags, hand] = buckets_[bucket];
  for (uint32_t way = 0; way < k_ways; ++way)
    if (tags[way] == 0 || entry(bucket, way).until_ms <= now_ms) return way;
  ++evictions_;
  for (;; entry(bucket, hand).asked_for = false, hand = (hand + 1) % k_ways)
    if (!entry(bucket, hand).asked_for) break;
  const uint32_t way = hand;
  hand = (hand + 1) % k_ways;
  return way;
}

}  // namespace margay::vector
