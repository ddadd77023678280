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

}  // namespace
}  // namespace margay::store::sqlite
