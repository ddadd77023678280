#include "ipam/pools.h"

#include <gtest/gtest.h>

#include <set>

#include "ipam/testing/scratch_store.h"

namespace margay::ipam {
namespace {

using base::Prefix;
using testing::ScratchStore;

Prefix net(const char* text) { return Prefix::parse(text).value(); }

std::vector<Prefix> all_of(BlockSequence sequence) {
  std::vector<Prefix> blocks;
  while (const auto block = sequence.next()) blocks.push_back(*block);
  return blocks;
}

TEST(BlockSequence, GivesEveryBlockOfThePoolOnce) {
  const Pool pool{.cidr = net("10.0.0.0/22"), .block_size = 26};
  const auto blocks = all_of({pool, "node1"});
  EXPECT_EQ(blocks.size(), 16U);
  EXPECT_EQ(std::set(blocks.begin(), blocks.end()).size(), 16U);
  for (const auto& block : blocks) {
    EXPECT_TRUE(pool.cidr.contains(block));
    EXPECT_EQ(block.length(), 26U);
  }
}

TEST(BlockSequence, BeginsAtTheSamePlaceForAHostAndElsewhereForMostOthers) {
  const Pool pool{.cidr = net("10.0.0.0/16"), .block_size = 26};
  EXPECT_EQ(all_of({pool, "node1"}), all_of({pool, "node1"}));
  std::set<Prefix> first;
  for (int i = 0; i < 100; ++i) {
    first.insert(*BlockSequence(pool, "node" + std::to_string(i)).next());
  }
  EXPECT_GT(first.size(), 80U);
}

TEST(BlockSequence, OfAPoolOfOneBlockAndOfAHugeOne) {
  EXPECT_EQ(all_of({Pool{.cidr = net("10.0.0.0/26"), .block_size = 26}, "n"}),
            std::vector{net("10.0.0.0/26")});
  BlockSequence huge(Pool{.cidr = net("fd00::/16"), .block_size = 122}, "n");
  const auto block = huge.next();
  ASSERT_TRUE(block);
  EXPECT_TRUE(net("fd00::/16").contains(*block));
}

TEST(LoadPools, LeavesOutWhatCannotBeUsedAndDefaultsBlockSizes) {
  ScratchStore store;
  store.add_pool({.name = "four", .cidr = "10.0.0.0/16"});
  store.add_pool({.name = "six", .cidr = "fd00::/48"});
  store.add_pool({.name = "bad-selector", .cidr = "10.1.0.0/16", .node_selector = "has("});
  store.add_pool({.name = "bad-size", .cidr = "10.2.0.0/16", .block_size = 8});
  store.add_pool({.name = "larger-than-pool", .cidr = "10.3.0.0/28", .block_size = 26});
  const auto pools = load_pools(store.get());
  ASSERT_TRUE(pools);
  ASSERT_EQ(pools->size(), 2U);
  EXPECT_EQ(pools->at(0).name, "four");
  EXPECT_EQ(pools->at(0).block_size, 26U);
  EXPECT_EQ(pools->at(1).block_size, 122U);
}

TEST(ResolvePools, FindsByNameAndByCidr) {
  const std::vector<Pool> pools{{.name = "a", .cidr = net("10.0.0.0/16")},
                                {.name = "b", .cidr = net("10.1.0.0/16")}};
  EXPECT_EQ(resolve_pools(pools, {"b", "10.0.0.0/16"}).value(),
            (std::vector{net("10.1.0.0/16"), net("10.0.0.0/16")}));
  const auto missing = resolve_pools(pools, {"c"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "there is no IP pool \"c\"");
}

}  // namespace
}  // namespace margay::ipam
