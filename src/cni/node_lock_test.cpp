#include "cni/node_lock.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <future>

namespace margay::cni {
namespace {

using namespace std::chrono_literals;

class NodeLockTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_ = fmt::format("/tmp/margay-test-{}.lock", getpid());
  std::filesystem::path path_ = folder_ / "run" / "ipam.lock";
};

TEST_F(NodeLockTest, PatienceEndsWithErrorEleven) {
  const auto first = NodeLock::take(path_);
  ASSERT_TRUE(first);
  const auto second = NodeLock::take(path_, 10ms);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::try_again_later);
  EXPECT_EQ(second.error().message,
            path_.string() + ": held by another plugin for more than 0.01 s");
}

TEST_F(NodeLockTest, PassesToTheNextInTurn) {
  auto first = NodeLock::take(path_);
  ASSERT_TRUE(first);
  auto next = std::async(std::launch::async, [&] { return NodeLock::take(path_).has_value(); });
  EXPECT_EQ(next.wait_for(10ms), std::future_status::timeout);
  first = fail(Code::failed, "ended");
  EXPECT_TRUE(next.get());
}

// Whoever gave up waiting must not get the lock later and keep it.
TEST_F(NodeLockTest, IsFreeAgainAfterOneThatGaveUp) {
  auto first = NodeLock::take(path_);
  ASSERT_FALSE(NodeLock::take(path_, 1ms));
  first = fail(Code::failed, "ended");
  EXPECT_TRUE(NodeLock::take(path_));
}

TEST_F(NodeLockTest, WhereThereCanBeNoneItGoesWithout) {
  EXPECT_TRUE(NodeLock::take("/proc/nowhere/ipam.lock", 1ms));
}

}  // namespace
}  // namespace margay::cni
