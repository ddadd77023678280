#include "base/file_lock.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"

namespace margay::base {
namespace {

TEST(FileLock, IsHeldWhileItsOwnerLives) {
  const std::string path = fmt::format("/tmp/margay-test-{}.lock", getpid());
  EXPECT_FALSE(FileLock::is_held(path)) << "a missing file";
  {
    const auto lock = FileLock::acquire(path);
    ASSERT_TRUE(lock);
    EXPECT_TRUE(FileLock::is_held(path));
    const auto second = FileLock::acquire(path);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::conflict);
  }
  EXPECT_FALSE(FileLock::is_held(path));
  unlink(path.c_str());
}

TEST(FileLock, TextIsReplaced) {
  const std::string path = fmt::format("/tmp/margay-test-{}.text", getpid());
  const auto lock = FileLock::acquire(path);
  ASSERT_TRUE(lock && lock->write("a long text") && lock->write("short"));
  EXPECT_EQ(read_file(path), "short");
  unlink(path.c_str());
}

}  // namespace
}  // namespace margay::base
