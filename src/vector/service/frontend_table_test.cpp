#include "vector/service/frontend_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace margay::vector {
namespace {

TEST(RecycledNumbers, ANumberComesBackOnlyWhenNoWorkerCanHoldIt) {
  Rcu rcu(1);
  RecycledNumbers numbers(&rcu, 8);
  rcu.online(0);
  const uint32_t first = numbers.take();
  numbers.retire(first);
  rcu.reclaim();
  EXPECT_NE(numbers.take(), first) << "the worker has not been quiescent";
  rcu.quiescent(0);
  rcu.reclaim();
  EXPECT_EQ(numbers.take(), first);
  rcu.offline(0);
}

TEST(RecycledNumbers, WhenAllAreOnTheirWayBackItWaits) {
  Rcu rcu(1);
  RecycledNumbers numbers(&rcu, 2);
  for (int i = 0; i < 100; ++i) {
    const uint32_t number = numbers.take();
    EXPECT_GE(number, 1U);
    EXPECT_LT(number, numbers.end());
    numbers.retire(number);
  }
}

// So few keys that they collide, come back, and fill the table with what is gone.
TEST(FrontendTable, HoldsWhatAMapHolds) {
  Rcu rcu(1);
  FrontendTable table(&rcu, 1024);
  std::map<FrontendKey, uint32_t> map;
  std::mt19937_64 random(1);
  const auto some_key = [&] {
    FrontendKey key{.port = static_cast<uint16_t>(random() % 16), .protocol = 6};
    key.address[0] = static_cast<uint8_t>(random() % 32);
    if (random() % 2 == 0) key.family = 6;
    return key;
  };
  for (uint32_t step = 1; step <= 50'000; ++step) {
    const auto key = some_key();
    const bool growing = step / 5'000 % 2 == 0;
    if (random() % 4 == (growing ? 0U : 1U) || (!growing && random() % 2 == 0)) {
      table.erase(key);
      map.erase(key);
    } else {
      table.set({.key = key, .service = step});
      map[key] = step;
    }
    const auto asked = some_key();
    const auto* const found = table.find(asked);
    const auto expected = map.find(asked);
    ASSERT_EQ(found != nullptr, expected != map.end());
    if (found) {
      ASSERT_EQ(found->service, expected->second);
    }
    ASSERT_EQ(table.size(), map.size());
    rcu.reclaim();
  }
}

// Readers need not be told of a change to one record: they see the old one or the new one.
TEST(FrontendTable, AReplacedRecordStaysUntilTheReadersHavePassed) {
  Rcu rcu(1);
  FrontendTable table(&rcu, 8);
  rcu.online(0);
  const FrontendKey key{.port = 80, .protocol = 6};
  table.set({.key = key, .service = 1});
  const auto* const old = table.find(key);
  for (uint32_t i = 2; i < 8; ++i) {
    table.set({.key = key, .service = i});
    rcu.reclaim();
  }
  EXPECT_EQ(old->service, 1U);
  EXPECT_EQ(table.find(key)->service, 7U);
  rcu.offline(0);
}

}  // namespace
}  // namespace margay::vector
