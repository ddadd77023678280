#include "base/backoff.h"

#include <gtest/gtest.h>

#include <vector>

namespace margay::base {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, DoublesUpToTheMaximumWithinItsJitter) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Backoff backoff({.initial = 100ms, .max = 1s}, seed);
    for (const auto whole : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
      const auto wait = backoff.next();
      EXPECT_GE(wait, whole / 2);
      EXPECT_LE(wait, whole);
    }
  }
}

TEST(Backoff, StartsOverAfterASuccess) {
  Backoff backoff({.initial = 100ms, .max = 1h});
  for (int i = 0; i < 10; ++i) backoff.next();
  backoff.reset();
  EXPECT_LE(backoff.next(), 100ms);
}

TEST(Backoff, SpreadsThoseWhoFailedTogether) {
  std::vector<std::chrono::milliseconds> waits;
  for (uint64_t seed = 0; seed < 20; ++seed)
    waits.push_back(Backoff({.initial = 10s, .max = 10s}, seed).next());
  std::ranges::sort(waits);
  EXPECT_GT(waits.back() - waits.front(), 1s);
}

}  // namespace
}  // namespace margay::base
