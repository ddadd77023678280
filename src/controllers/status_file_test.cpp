#include "controllers/status_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "store/testing/temporary_folder.h"

namespace margay::controllers {
namespace {

using namespace std::chrono_literals;

class StatusFileTest : public testing::Test {
 protected:
  std::string ready() {
    const auto checked = check_ready(file_);
    return checked ? "Ready" : checked.error().message;
  }
  store::testing::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.file("status.json");
};

TEST_F(StatusFileTest, IsWhatCalicosProbesRead) {
  ASSERT_TRUE(write_status(file_, {{"KubeAPIServer", {false, "refused"}}}));
  EXPECT_EQ(base::read_file(file_).value(),
            R"({"Readiness":{"KubeAPIServer":{"Ready":false,"Reason":"refused"}}})");
  const Readiness both{{"A", {true, ""}}, {"B", {false, "why"}}};
  ASSERT_TRUE(write_status(file_, both));
  EXPECT_EQ(read_status(file_).value(), both);
}

TEST_F(StatusFileTest, IsReadyWhenEveryPartIs) {
  EXPECT_THAT(ready(), testing::HasSubstr("status.json")) << "there is no file yet";
  ASSERT_TRUE(write_status(file_, {}));
  EXPECT_EQ(ready(), "nothing is known yet");
  ASSERT_TRUE(
      write_status(file_, {{"A", {false, "one"}}, {"B", {true, ""}}, {"C", {false, "two"}}}));
  EXPECT_EQ(ready(), "A: one; C: two");
  ASSERT_TRUE(write_status(file_, {{"A", {true, ""}}, {"B", {true, ""}}}));
  EXPECT_EQ(ready(), "Ready");
  ASSERT_TRUE(base::write_file(file_, "{"));
  EXPECT_THAT(ready(), testing::StartsWith(file_.string()));
}

TEST_F(StatusFileTest, IsLiveWhileItIsWritten) {
  EXPECT_FALSE(check_live(file_));
  ASSERT_TRUE(write_status(file_, {{"A", {false, "the API server cannot be reached"}}}));
  EXPECT_TRUE(check_live(file_)) << "not ready is not dead";
  std::filesystem::last_write_time(file_, std::filesystem::file_time_type::clock::now() - 61s);
  EXPECT_FALSE(check_live(file_));
}

}  // namespace
}  // namespace margay::controllers
