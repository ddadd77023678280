#include "dataplane/iptables/post_write_check.h"

#include <gmock/gmock.h>

namespace margay::dataplane::iptables {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

const PostWriteCheck::Clock::time_point k_start{};

// The seconds after the write at which one is due, of the first `until`.
std::vector<int> due_at(PostWriteCheck check, std::chrono::seconds until) {
  check.note_write(k_start);
  std::vector<int> due;
  for (auto passed = 0s; passed <= until; passed += 1s)
    if (check.take_due(k_start + passed)) due.push_back(static_cast<int>(passed.count()));
  return due;
}

TEST(PostWriteCheck, IsDueAfterAnIntervalThatDoublesForAnHour) {
  EXPECT_THAT(due_at(PostWriteCheck(1s), 3h),
              ElementsAre(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048));
  EXPECT_THAT(due_at(PostWriteCheck(10min), 3h), ElementsAre(600, 1200, 2400));
}

TEST(PostWriteCheck, WithoutAWriteIsNeverDue) {
  PostWriteCheck check(1s);
  EXPECT_FALSE(check.take_due(k_start + 1h));
  EXPECT_EQ(check.due_in(k_start), std::nullopt);
}

TEST(PostWriteCheck, BeginsAnewWithTheNextWrite) {
  PostWriteCheck check(1s);
  check.note_write(k_start);
  EXPECT_TRUE(check.take_due(k_start + 100s)) << "once, however many were missed";
  EXPECT_EQ(check.due_in(k_start + 100s), 28s);
  check.note_write(k_start + 100s);
  EXPECT_EQ(check.due_in(k_start + 100s), 1s);
}

TEST(PostWriteCheck, IsNotSoonerThan50Milliseconds) {
  PostWriteCheck check(0ms);
  check.note_write(k_start);
  EXPECT_EQ(check.due_in(k_start), 50ms);
}

}  // namespace
}  // namespace margay::dataplane::iptables
