#include "base/memory_limit.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdint>
#include <fstream>

namespace margay::base {
namespace {

namespace fs = std::filesystem;

class MemoryLimitTest : public testing::Test {
 protected:
  MemoryLimitTest() {
    auto name = (fs::temp_directory_path() / "margay-memory-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~MemoryLimitTest() override { fs::remove_all(root_); }
  void write(const fs::path& file, const char* text) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text << '\n';
  }
  fs::path root_;
};

TEST_F(MemoryLimitTest, IsTheLeastOfTheGroupAndThoseAbove) {
  write("memory.max", "max");
  write("a/memory.max", "1000");
  write("a/b/memory.max", "2000");
  EXPECT_EQ(memory_limit_of_groups("0::/a/b\n", root_), 1000U);
  EXPECT_EQ(memory_limit_of_groups("0::/\n", root_), SIZE_MAX);
  EXPECT_EQ(memory_limit_of_groups("0::/a/none\n", root_), 1000U);
  EXPECT_EQ(memory_limit_of_groups("", root_), SIZE_MAX);
}

TEST_F(MemoryLimitTest, OfVersionOneIsThatOfTheMemoryController) {
  write("memory/memory.limit_in_bytes", "9223372036854771712");
  write("memory/pod/memory.limit_in_bytes", "1073741824");
  EXPECT_EQ(memory_limit_of_groups("5:cpu,cpuacct:/x\n4:memory:/pod\n0::/\n", root_), 1U << 30);
  EXPECT_EQ(memory_limit_of_groups("4:memory:/\n", root_), 9223372036854771712U);
}

TEST_F(MemoryLimitTest, InAContainerIsThatOfItsRoot) {
  write("memory.max", "500");
  EXPECT_EQ(memory_limit_of_groups("0::/../other\n", root_), 500U);
}

TEST(MemoryLimit, OfThisProcessIsSomething) { EXPECT_GT(memory_limit(), 1U << 20); }

}  // namespace
}  // namespace margay::base
