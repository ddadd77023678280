#pragma once

// For cases that drive no graph: the median of several rounds' cycles, each over many batches.

#include <rte_cycles.h>

#include <algorithm>
#include <vector>

namespace margay::vector::bench {

inline constexpr unsigned k_rounds = 15;

// Cycles for each of `items`, which `batch(number)` handles together. `prepare` is not timed.
template <typename Prepare, typename Batch>
double median_cycles(unsigned batches, unsigned items, Prepare prepare, Batch batch) {
  std::vector<double> each;
  for (unsigned round = 0; round <= k_rounds; ++round) {
    uint64_t total = 0;
    for (unsigned number = 0; number < batches; ++number) {
      prepare(round * batches + number);
      const uint64_t begin = rte_rdtsc_precise();
      batch();
      total += rte_rdtsc_precise() - begin;
    }
    if (round > 0)  // the first is to warm up
      each.push_back(static_cast<double>(total) / (double{1} * batches * items));
  }
  std::ranges::nth_element(each, each.begin() + k_rounds / 2);
  return each[k_rounds / 2];
}

}  // namespace margay::vector::bench
