#include "apiserver/parsing_room.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

namespace margay::apiserver {
namespace {

const std::string k_large(1'000, ' ');  // weighs 1,060

// Waits for a place in a thread of its own.
class Waiter {
 public:
  Waiter(ParsingRoom& room, const std::string& json, std::vector<int>& order, int number)
      : thread_([&room, &json, &order, number, this] {
          const auto place = room.wait(json);
          order.push_back(number);  // one at a time has a place
        }) {}
  void join() { thread_.join(); }

 private:
  std::thread thread_;
};

TEST(ParsingRoom, CopiesDoubleUpToWhatAnObjectMayBe) {
  EXPECT_EQ(copied_bytes(100, 0), 100U);
  EXPECT_EQ(copied_bytes(100, 3), 800U);
  const auto most = copied_bytes(100, 10'000);
  EXPECT_EQ(most, copied_bytes(1 << 20, 1'000));
  EXPECT_EQ(most, (3U << 20) + (60U << 18));
  EXPECT_LT(most, ParsingRoom::Limits{}.bytes);
  EXPECT_EQ(copied_bytes(2 * most, 1), 2 * most) << "stored before there was a limit";
}

TEST(ParsingRoom, WhatIsSmallIsNotCounted) {
  ParsingRoom room({.bytes = 1, .small_bytes = 1'060, .waiting = 1});
  const auto first = room.enter(k_large);
  const auto second = room.enter(k_large);
  EXPECT_TRUE(first && second);
}

TEST(ParsingRoom, AnObjectOfAnySizeHasItsTurn) {
  ParsingRoom room({.bytes = 10, .small_bytes = 10, .waiting = 1});
  EXPECT_TRUE(room.enter(k_large));
  EXPECT_TRUE(room.enter(k_large)) << "the first has left";
}

TEST(ParsingRoom, WhoComesWhenOthersWaitIsRefusedAndWhoWaitsGoesInTurn) {
  ParsingRoom room({.bytes = 1'500, .small_bytes = 10, .waiting = 2});
  std::vector<int> order;
  std::vector<std::unique_ptr<Waiter>> waiters;
  {
    const auto held = room.enter(k_large);
    ASSERT_TRUE(held);
    for (int number = 0; number < 2; ++number) {
      waiters.push_back(std::make_unique<Waiter>(room, k_large, order, number));
      while (room.waiting() != static_cast<size_t>(number) + 1) std::this_thread::yield();
    }
    const auto refused = room.enter(k_large);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, 429);
    EXPECT_TRUE(order.empty()) << "there is no room for two";
  }
  for (auto& waiter : waiters) waiter->join();
  EXPECT_EQ(order, (std::vector<int>{0, 1}));
  EXPECT_TRUE(room.enter(k_large));
}

// The memory of values, rounded as malloc does.
struct Counting : boost::json::memory_resource {
  size_t bytes = 0;
  void* do_allocate(size_t size, size_t align) override {
    bytes += std::max<size_t>((size + 8 + 15) / 16 * 16, 32);
    return ::operator new(size, std::align_val_t(align));
  }
  void do_deallocate(void* place, size_t, size_t align) override {
    ::operator delete(place, std::align_val_t(align));
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

TEST(ParsingRoom, TheWeightOfATextIsNoLessThanItsValueTakes) {
  for (const std::string item :
       {"1", "1.5", "\"\"", "\"0123456789abcdef\"", "[]", "{}", "[0]", "[[[0]]]", R"({"a":1})",
        R"({"a":{}})", R"({"a":{"b":{"c":[1]}}})", R"({"a":1,"b":2,"c":"x"})",
        R"({"0123456789abcdef":"0123456789abcdef"})"}) {
    std::string text = "[" + item;
    for (int i = 1; i < 10'000; ++i) text += "," + item;
    text += "]";
    Counting own;
    const boost::json::value copy(boost::json::parse(text), &own);
    EXPECT_GE(parsed_bytes(text), own.bytes) << item;
    EXPECT_LE(parsed_bytes(text), 10 * own.bytes) << item;
  }
}

}  // namespace
}  // namespace margay::apiserver
