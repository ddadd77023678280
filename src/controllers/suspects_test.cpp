#include "controllers/suspects.h"

#include <gtest/gtest.h>

namespace margay::controllers {
namespace {

using namespace std::chrono_literals;

ipam::Holding orphan(const std::string& handle, const std::string& timestamp = "1") {
  return {
      .handle_id = handle,
      .holder = {.kind = ipam::Holder::Kind::pod, .node = "node1", .ns = "shop", .pod = "web"},
      .shares = {{.attribute = {.handle_id = handle, .secondary = {{"timestamp", timestamp}}}}}};
}

class SuspectsTest : public testing::Test {
 protected:
  // How many are due, of those shown `later` than the look before.
  size_t look(std::vector<ipam::Holding> orphans, std::chrono::minutes later,
              std::chrono::milliseconds grace = 15min) {
    clock_.advance(later);
    return suspects_.due(std::move(orphans), clock_.now(), grace).size();
  }
  base::FakeClock clock_;
  Suspects suspects_;
};

TEST_F(SuspectsTest, IsDueWhenItWasSoForTheWholeGrace) {
  EXPECT_EQ(look({orphan("a")}, 0min), 0U);
  EXPECT_EQ(look({orphan("a")}, 14min), 0U);
  EXPECT_EQ(look({orphan("a")}, 1min), 1U);
}

TEST_F(SuspectsTest, IsNeverDueAtFirstSight) {
  EXPECT_EQ(look({orphan("a")}, 60min, 1ms), 0U);
  EXPECT_EQ(look({orphan("a")}, 1min, 1ms), 1U);
}

TEST_F(SuspectsTest, BeginsAnewWhenItWasSomebodysInBetween) {
  look({orphan("a")}, 0min);
  look({}, 10min);
  EXPECT_EQ(look({orphan("a")}, 10min), 0U);
}

TEST_F(SuspectsTest, BeginsAnewWhenTheHandleWasAssignedAnew) {
  look({orphan("a", "1")}, 0min);
  EXPECT_EQ(look({orphan("a", "2")}, 20min), 0U);
  EXPECT_EQ(look({orphan("a", "2")}, 20min), 1U);
}

TEST_F(SuspectsTest, StaysDueUntilItIsGone) {
  look({orphan("a")}, 0min);
  EXPECT_EQ(look({orphan("a")}, 20min), 1U) << "the release may fail";
  EXPECT_EQ(look({orphan("a")}, 0min), 1U);
}

TEST_F(SuspectsTest, WithoutGraceNothingIsDue) {
  look({orphan("a")}, 0min, 0ms);
  EXPECT_EQ(look({orphan("a")}, 60min, 0ms), 0U);
  EXPECT_EQ(suspects_.size(), 0U);
}

TEST_F(SuspectsTest, RemembersNoMoreThanTheLastLook) {
  for (int i = 0; i < 1000; ++i) look({orphan(std::to_string(i))}, 1min);
  EXPECT_EQ(suspects_.size(), 1U);
}

}  // namespace
}  // namespace margay::controllers
