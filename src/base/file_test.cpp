#include "base/file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace margay::base {
namespace {

namespace fs = std::filesystem;

class File : public testing::Test {
 protected:
  void TearDown() override { fs::remove_all(folder_); }
  mode_t mode_of(const fs::path& path) {
    struct stat status{};
    EXPECT_EQ(stat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
  }
  fs::path folder_ = fmt::format("/tmp/margay-test-{}.file", getpid());
};

TEST_F(File, IsReplacedWholeWithTheModeAskedFor) {
  const auto path = folder_ / "deep" / "key";
  ASSERT_TRUE(write_file(path, "public", 0644));
  EXPECT_EQ(mode_of(path), 0644U);
  ASSERT_TRUE(write_file(path, "secret"));
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_EQ(read_file(path), "secret");
}

TEST_F(File, WhatAKilledWriterLeftIsNeitherKeptNorFollowed) {
  const auto path = folder_ / "key", fresh = folder_ / "key.new", elsewhere = folder_ / "other";
  ASSERT_TRUE(write_file(elsewhere, "untouched"));
  fs::create_symlink(elsewhere, fresh);
  ASSERT_TRUE(write_file(path, "secret"));
  EXPECT_EQ(read_file(path), "secret");
  EXPECT_FALSE(fs::is_symlink(path));
  EXPECT_EQ(read_file(elsewhere), "untouched");
}

TEST_F(File, ThatIsNotThereIsNotFound) {
  EXPECT_EQ(read_file(folder_ / "none").error().code, ErrorCode::not_found);
  EXPECT_TRUE(remove_file(folder_ / "none"));
}

}  // namespace
}  // namespace margay::base
