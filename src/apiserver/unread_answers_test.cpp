#include "apiserver/unread_answers.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace margay::apiserver {
namespace {

class UnreadAnswersTest : public testing::Test {
 protected:
  // A client that waits until it is let go.
  struct Client {
    bool was_cut = false;
    std::unique_ptr<UnreadAnswers::Wait> wait;
  };
  void begin(Client& client, Unread memory) {
    client.wait.reset(
        new auto(answers_.wait(std::move(memory), [&client] { client.was_cut = true; })));
  }

  UnreadAnswers answers_{100};
};

TEST_F(UnreadAnswersTest, WhoHasBeenStuckForLongestGivesWay) {
  Client first, second, third;
  begin(first, {.own = 50});
  begin(second, {.own = 40});
  EXPECT_FALSE(first.was_cut || second.was_cut);
  begin(third, {.own = 40});
  EXPECT_TRUE(first.was_cut);
  EXPECT_FALSE(second.was_cut || third.was_cut);
  EXPECT_EQ(answers_.bytes(), 80);
}

// An answer of some bytes on its way is no reason to cut whoever asked.
TEST_F(UnreadAnswersTest, WhoKeepsNextToNothingIsNeverCut) {
  Client small, first, second;
  begin(small, {.own = 12});
  begin(first, {.own = 80});
  begin(second, {.own = 90});
  EXPECT_TRUE(first.was_cut);
  EXPECT_FALSE(small.was_cut || second.was_cut);
  Client third;
  begin(third, {.own = 150});
  EXPECT_TRUE(second.was_cut);
  Client late;
  begin(late, {.own = 12});
  EXPECT_FALSE(small.was_cut || third.was_cut || late.was_cut) << "one of any size may wait";
  late.wait.reset();
  small.wait.reset();
  third.wait.reset();
  EXPECT_EQ(answers_.bytes(), 0);
}

TEST_F(UnreadAnswersTest, WhoReadsIsNotStuck) {
  Client reading, stuck;
  begin(reading, {.own = 60});
  begin(stuck, {.own = 30});
  reading.wait.reset();
  begin(reading, {.own = 60});
  EXPECT_FALSE(stuck.was_cut);
  Client next;
  begin(next, {.own = 30});
  EXPECT_TRUE(stuck.was_cut) << "it waits for longer than the one that went on";
  EXPECT_FALSE(reading.was_cut);
}

TEST_F(UnreadAnswersTest, WhatIsSharedIsCountedOnceUntilTheLastHasIt) {
  const std::string event;
  Client first, second, third;
  begin(first, {.own = 1, .shared = {{&event, 90}}});
  begin(second, {.own = 1, .shared = {{&event, 90}}});
  EXPECT_EQ(answers_.bytes(), 92);
  first.wait.reset();
  EXPECT_EQ(answers_.bytes(), 91);
  begin(third, {.own = 20});
  EXPECT_TRUE(second.was_cut);
  EXPECT_EQ(answers_.bytes(), 20);
}

TEST_F(UnreadAnswersTest, OneOfAnySizeMayWait) {
  Client large;
  begin(large, {.own = 1'000});
  EXPECT_FALSE(large.was_cut);
  Client next;
  begin(next, {.own = 20});
  EXPECT_TRUE(large.was_cut);
  large.wait.reset();
  EXPECT_EQ(answers_.bytes(), 20);
  next.wait.reset();
  EXPECT_EQ(answers_.bytes(), 0);
}

}  // namespace
}  // namespace margay::apiserver
