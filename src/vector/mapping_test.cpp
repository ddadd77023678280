#include "vector/mapping.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <vector>

namespace margay::vector {
namespace {

constexpr size_t k_mib = size_t{1} << 20, k_page = 4096;

// How much of a mapping the kernel has given memory for.
size_t resident(const Mapping& mapping) {
  std::vector<unsigned char> pages(mapping.bytes() / k_page);
  EXPECT_EQ(mincore(mapping.address(), mapping.bytes(), pages.data()), 0);
  return k_page * static_cast<size_t>(
                      std::ranges::count_if(pages, [](auto page) { return (page & 1) != 0; }));
}

TEST(Frontier, MemoryIsReadyAheadAsFarAsATableHasGrownAndNoFartherThanABound) {
  const Mapping mapping(64 * k_mib);
  Frontier frontier;
  frontier.populate(mapping);
  EXPECT_EQ(resident(mapping), 0U);
  frontier.reach(k_mib / 2);
  frontier.populate(mapping);
  EXPECT_EQ(resident(mapping), 0U) << "a small table stays small";
  frontier.reach(4 * k_mib);
  frontier.populate(mapping);
  EXPECT_EQ(resident(mapping), 4 * k_mib) << "from 4 MiB to 8: the rest is the table's to touch";
  frontier.reach(20 * k_mib);
  frontier.populate(mapping);
  EXPECT_EQ(resident(mapping), 12 * k_mib) << "and from 20 MiB to 28";
  frontier.reach(64 * k_mib);
  frontier.populate(mapping);
  EXPECT_EQ(resident(mapping), 12 * k_mib) << "there is no more";
}

TEST(Frontier, BeginsAnewWithATableThatHasGivenItsMemoryBack) {
  Mapping mapping(64 * k_mib);
  Frontier frontier;
  frontier.reach(16 * k_mib);
  frontier.populate(mapping);
  mapping.clear();
  EXPECT_EQ(resident(mapping), 0U);
  frontier.reach(0);
  frontier.populate(mapping);
  frontier.reach(2 * k_mib);
  frontier.populate(mapping);
  EXPECT_EQ(resident(mapping), 2 * k_mib);
}

}  // namespace
}  // namespace margay::vector
