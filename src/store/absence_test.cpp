#include "store/absence.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace margay::store {
namespace {

using namespace std::chrono_literals;

class AbsenceTest : public ::testing::Test {
 protected:
  // How often it is looked for in `time`.
  int looks_in(std::chrono::milliseconds time, bool is_believed) {
    int looks = 0;
    for (const auto end = clock_.now() + time; clock_.now() < end; ++looks)
      clock_.advance(absence_.next(clock_.now(), is_believed));
    return looks;
  }

  base::FakeClock clock_;
  Absence absence_{{.initial = 100ms, .max = 10s}, 60s};
};

TEST_F(AbsenceTest, OfOneThatIsBelievedIsDoubtedForAMinute) {
  EXPECT_LE(absence_.next(clock_.now(), true), 100ms);
  EXPECT_GE(looks_in(60s, true), 10);
  EXPECT_EQ(absence_.next(clock_.now(), true), 60s);
  EXPECT_EQ(looks_in(10min, true), 10);
}

TEST_F(AbsenceTest, OfOneThatIsNotBelievedIsAskedAboutLikeWhateverFails) {
  EXPECT_GE(looks_in(10min, false), 60);
  EXPECT_LE(absence_.next(clock_.now(), true), 100ms) << "the minute begins with the belief";
}

TEST_F(AbsenceTest, BeginsAnew) {
  EXPECT_GT(looks_in(5min, true), 10);
  absence_.end();
  EXPECT_LE(absence_.next(clock_.now(), true), 100ms);
}

}  // namespace
}  // namespace margay::store
