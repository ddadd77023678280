#include "ipam/overlap.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "ipam/block.h"
#include "ipam/names.h"
#include "ipam/testing/scratch_store.h"

namespace margay::ipam {
namespace {

using base::IPAddress;
using base::Prefix;
using testing::ScratchStore;

// Blocks of all sizes at random within a small range, whose text has zeros in all places; each is
// asked for, and so are prefixes of every other size, and compared with what looking at all finds.
void compare(const char* range, unsigned seed) {
  SCOPED_TRACE(::testing::Message() << range << ", seed " << seed);
  const Prefix within = Prefix::parse(range).value();
  const unsigned shortest = shortest_block(within.family()), longest = within.address().bits();
  std::minstd_rand random(seed);
  const auto any = [&] {
    const uint64_t size = uint64_t{1} << (longest - within.length());
    return Prefix(within.address().plus(random() % size),
                  shortest + static_cast<unsigned>(random()) % (longest - shortest + 1));
  };
  ScratchStore store;
  const Records<api::IPAMBlock> blocks(store.get(), k_blocks);
  std::set<Prefix> all;
  while (all.size() < 60) {
    const Prefix cidr = any();
    if (!all.insert(cidr).second) continue;
    api::IPAMBlock object;
    object.metadata.name = block_name(cidr);
    object.spec.cidr = cidr.to_string();
    ASSERT_TRUE(blocks.create(object));
  }
  for (int i = 0; i < 200; ++i) {
    const Prefix asked = any();
    std::set<Prefix> expected, found;
    for (const auto& cidr : all) {
      if (cidr.overlaps(asked)) expected.insert(cidr);
    }
    const auto overlapping = overlapping_blocks(blocks, asked);
    ASSERT_TRUE(overlapping);
    for (const auto& record : *overlapping) {
      EXPECT_TRUE(found.insert(Prefix::parse(record.object.spec.cidr).value()).second) << "twice";
    }
    EXPECT_EQ(found, expected) << asked.to_string();
  }
}

TEST(Overlap, FindsWhatLookingAtAllBlocksWouldFind) {
  for (const unsigned seed : {1U, 2U}) {
    for (const char* range :
         {"10.0.0.0/18", "10.1.255.0/24", "fd00::/112", "fd00:0:1::/111", "fd00:0:0:1::/110",
          "fd00:1:0:0:1::/112", "1:2:3:4:5:6:7:0/112", "fd00:10:244:1::ffff:0/111"}) {
      compare(range, seed);
    }
  }
}

}  // namespace
}  // namespace margay::ipam
