// Copying a small packet, and DPDK's hash table.

#include "vector/bench/yardsticks.h"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_mbuf.h>
#include <rte_memcpy.h>

#include <array>
#include <memory>
#include <random>

#include "vector/bench/rounds.h"
#include "vector/packet.h"

namespace margay::vector::bench {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr unsigned k_copied = 64, k_batch = k_most_batch, k_batches = 512;
constexpr unsigned k_buffers = 16383;

Result<Measurement> copy(const std::string& name) {
  const std::unique_ptr<rte_mempool, decltype(&rte_mempool_free)> pool(
      rte_pktmbuf_pool_create("yardstick", k_buffers, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                              SOCKET_ID_ANY),
      &rte_mempool_free);
  std::array<rte_mbuf*, k_batch> from{}, to{};
  if (!pool || rte_pktmbuf_alloc_bulk(pool.get(), from.data(), k_batch) != 0 ||
      rte_pktmbuf_alloc_bulk(pool.get(), to.data(), k_batch) != 0)
    return fail(ErrorCode::unavailable, "no packet buffers");
  uint8_t content = 0;
  bool is_right = true;
  const auto check = [&] {
    for (const auto* packets : {&from, &to})
      for (auto* packet : *packets)
        is_right =
            is_right && bytes(packet)[0] == content && bytes(packet)[k_copied - 1] == content;
  };
  const double cycles = median_cycles(
      k_batches, k_batch,
      [&](unsigned number) {
        if (number > 0) check();
        content = static_cast<uint8_t>(number + 1);
        for (auto* packet : from) std::memset(bytes(packet), content, k_copied);
      },
      [&] {
        for (unsigned i = 0; i < k_batch; ++i) rte_memcpy(bytes(to[i]), bytes(from[i]), k_copied);
      });
  check();
  rte_pktmbuf_free_bulk(from.data(), k_batch);
  rte_pktmbuf_free_bulk(to.data(), k_batch);
  if (!is_right) return fail(ErrorCode::internal, "a copy is not what was copied");
  return measured(name, k_copied, 0, 0, cycles);
}

struct Key {
  uint64_t low, high;
};
static_assert(sizeof(Key) == 16);

Key key_of(uint64_t number) { return {number * 0x9e3779b97f4a7c15U, number}; }

Result<Measurement> rte_hash_lookup(const std::string& name, uint32_t keys) {
  rte_hash_parameters parameters{};
  parameters.name = "yardstick";
  parameters.entries = keys + keys / 4;
  parameters.key_len = sizeof(Key);
  parameters.hash_func = rte_hash_crc;
  const std::unique_ptr<rte_hash, decltype(&rte_hash_free)> table(rte_hash_create(&parameters),
                                                                  &rte_hash_free);
  if (!table)
    return fail(ErrorCode::unavailable, fmt::format("no rte_hash: {}", rte_strerror(rte_errno)));
  std::vector<int32_t> position_of(keys);
  for (uint32_t number = 0; number < keys; ++number) {
    const Key key = key_of(number);
    position_of[number] = rte_hash_add_key(table.get(), &key);
    if (position_of[number] < 0) return fail(ErrorCode::unavailable, "rte_hash is full too early");
  }
  std::mt19937_64 random(1);
  std::array<uint32_t, k_batch> numbers{};
  std::array<Key, k_batch> wanted{};
  std::array<const void*, k_batch> pointers{};
  std::array<int32_t, k_batch> found{};
  for (unsigned i = 0; i < k_batch; ++i) pointers[i] = &wanted[i];
  size_t wrong = 0;
  const auto check = [&] {
    for (unsigned i = 0; i < k_batch; ++i) wrong += found[i] != position_of[numbers[i]];
  };
  const double cycles = median_cycles(
      k_batches, k_batch,
      [&](unsigned number) {
        if (number > 0) check();
        for (unsigned i = 0; i < k_batch; ++i) {
          numbers[i] = static_cast<uint32_t>(random() % keys);
          wanted[i] = key_of(numbers[i]);
        }
      },
      [&] {
        for (unsigned i = 0; i < k_batch; i += RTE_HASH_LOOKUP_BULK_MAX)
          rte_hash_lookup_bulk(table.get(), &pointers[i], RTE_HASH_LOOKUP_BULK_MAX, &found[i]);
      });
  check();
  if (wrong != 0) return fail(ErrorCode::internal, fmt::format("{} keys were not found", wrong));
  return measured(name, 0, keys, 0, cycles);
}

}  // namespace

std::vector<Case> yardsticks() {
  std::vector<Case> cases;
  const std::string copy_name = fmt::format("yardstick/copy{}", k_copied);
  cases.push_back({copy_name, [copy_name] { return copy(copy_name); }});
  for (const uint32_t keys : {65'536U, 1'000'000U}) {
    const auto name = fmt::format("yardstick/rte_hash/keys={}", keys);
    cases.push_back({name, [=] { return rte_hash_lookup(name, keys); }});
  }
  return cases;
}

}  // namespace margay::vector::bench
