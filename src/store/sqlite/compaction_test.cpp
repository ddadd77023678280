#include "store/sqlite/compaction.h"

#include <gtest/gtest.h>

namespace margay::store::sqlite {
namespace {

using namespace std::chrono_literals;

const CompactionSchedule::Time k_start{1h};

TEST(CompactionSchedule, LetsGoOfWhatIsOlderThanTheAge) {
  CompactionSchedule schedule({.max_age = 5min, .max_revisions = 1'000'000});
  EXPECT_LE(schedule.observe(k_start, 100), 0);
  EXPECT_LE(schedule.observe(k_start + 3min, 200), 0);
  EXPECT_LE(schedule.observe(k_start + 4min + 59s, 300), 0);
  EXPECT_EQ(schedule.observe(k_start + 5min, 300), 100);
  EXPECT_EQ(schedule.observe(k_start + 8min, 300), 200);
}

TEST(CompactionSchedule, CountsTheAgeOfAnIdleStoreFromTheFirstSight) {
  CompactionSchedule schedule({.max_age = 5min, .max_revisions = 1'000'000});
  schedule.observe(k_start, 100);
  schedule.observe(k_start + 4min, 100);
  EXPECT_EQ(schedule.observe(k_start + 5min, 100), 100);
}

TEST(CompactionSchedule, KeepsNoMoreRevisionsThanTheLimit) {
  CompactionSchedule schedule({.max_age = 5min, .max_revisions = 50});
  EXPECT_EQ(schedule.observe(k_start, 200), 150);
}

TEST(CompactionSchedule, KeepsNoMoreBytesThanTheLimit) {
  CompactionSchedule schedule({.max_age = 5min, .max_revisions = 1'000'000, .max_bytes = 1'600});
  EXPECT_FALSE(schedule.is_due(99));
  EXPECT_TRUE(schedule.is_due(100));
  EXPECT_LE(schedule.observe(k_start, 10, 100), 0);
  EXPECT_FALSE(schedule.is_due(199));
  EXPECT_LE(schedule.observe(k_start, 20, 1'000), 0);
  EXPECT_EQ(schedule.observe(k_start, 30, 1'700), 10);
  EXPECT_EQ(schedule.observe(k_start, 40, 2'600), 20);
}

}  // namespace
}  // namespace margay::store::sqlite
