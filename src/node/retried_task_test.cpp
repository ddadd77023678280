#include "node/retried_task.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace margay::node {
namespace {

TEST(RetriedTask, RunsAgainUntilItSucceedsAndThenOnlyWhenAskedTo) {
  std::atomic<int> calls = 0;
  std::promise<void> succeeded, again;
  RetriedTask task("test", [&]() -> base::Result<> {
    const int call = ++calls;
    if (call == 1) return base::fail(base::ErrorCode::unavailable, "not yet");
    if (call == 2) succeeded.set_value();
    if (call == 3) again.set_value();
    return {};
  });
  EXPECT_EQ(calls, 0) << "nobody has asked";
  task.request();
  ASSERT_EQ(succeeded.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(calls, 2);
  task.request();
  ASSERT_EQ(again.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST(RetriedTask, EndsWhileItWaitsToTryAgain) {
  std::promise<void> failed;
  std::atomic<int> calls = 0;
  RetriedTask task("test", [&]() -> base::Result<> {
    if (++calls == 1) failed.set_value();
    return base::fail(base::ErrorCode::unavailable, "never");
  });
  task.request();
  EXPECT_EQ(failed.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

}  // namespace
}  // namespace margay::node
