#pragma once

// Which backend a client of a service with client affinity has: (client, service) -> backend, until
// a time. Bounded: buckets of eight, and a full bucket gives up first what has expired, then by
// second chance (the hand of a clock) what has not been asked for since the hand came by. A client
// that is forgotten early is chosen for by consistent hashing of its address, so it loses its
// backend only if the set of backends has changed meanwhile.
//
// One worker's own; no other thread touches it. Times in milliseconds of any steady clock.

#include <array>
#include <cstdint>

#include "vector/mapping.h"
#include "vector/service/flow_hash.h"

namespace margay::vector {

struct AffinityKey {
  AddressBytes client{};
  uint8_t family = 4;
  uint32_t service_serial = 0;
};

struct AffinityBackend {
  AddressBytes address{};
  uint16_t port = 0;
  uint32_t place = 0;  // where it last was among the service's backends: a hint
};

class AffinityTable {
 public:
  // Room for `capacity` clients, rounded up to a power of two; 56 bytes each when used.
  // `seed` is secret: it keeps clients from choosing addresses that push others out of a bucket.
  AffinityTable(uint32_t capacity, uint64_t seed);

  uint64_t hash(const AffinityKey& key) const {
    uint64_t words[2];
    std::memcpy(words, key.client.data(), sizeof words);
    const uint64_t address = base::folded_multiply(words[0] ^ seed_, words[1] ^ k_pi[0] ^ ~seed_);
    const uint64_t rest = uint64_t{key.service_serial} | uint64_t{key.family} << 32;
    return base::folded_multiply(address ^ rest, seed_ ^ k_pi[1]);
  }
  // The hash is hash(key). Null when nothing is known or its time is up. Good until `remember`.
  AffinityBackend* find(const AffinityKey& key, uint64_t hash, uint64_t now_ms);
  void remember(const AffinityKey& key, uint64_t hash, const AffinityBackend& backend,
                uint64_t now_ms, uint64_t until_ms);
  // First this, then `prefetch_entry`.
  void prefetch(uint64_t hash) const { __builtin_prefetch(&buckets_[hash & mask_]); }
  void prefetch_entry(uint64_t hash) const;

  // Clients forgotten before their time.
  uint64_t evictions() const { return evictions_; }

 private:
  static constexpr uint32_t k_ways = 8;
  struct Entry {
    AddressBytes client;
    AffinityBackend backend;
    uint32_t service_serial;
    uint8_t family;
    bool asked_for;
    uint64_t until_ms;
  };
  struct Bucket {
    std::array<uint32_t, k_ways> tags;  // hash's upper half; 0: free
    uint32_t hand;
  };
  static uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32) | 1; }
  Entry* locate(const AffinityKey& key, uint64_t hash);
  uint32_t make_room(uint64_t bucket, uint64_t now_ms);
  Entry& entry(uint64_t bucket, uint32_t way) const { return entries_[bucket * k_ways + way]; }

  const uint64_t seed_;
  uint64_t mask_;
  MappedArray<Bucket> buckets_;
  MappedArray<Entry> entries_;
  uint64_t evictions_ = 0;
};

inline void AffinityTable::prefetch_entry(uint64_t hash) const {
  const uint64_t bucket = hash & mask_;
  for (uint32_t way = 0; way < k_ways; ++way)
    if (buckets_[bucket].tags[way] == tag_of(hash)) __builtin_prefetch(&entry(bucket, way), 1);
}

}  // namespace margay::vector
