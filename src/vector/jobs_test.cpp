#include "vector/jobs.h"

#include <gmock/gmock.h>

#include <thread>
#include <vector>

namespace margay::vector {
namespace {

// Jobs don't look at it here.
Worker& no_worker() {
  alignas(64) static char room[64];
  return *reinterpret_cast<Worker*>(room);
}

TEST(Jobs, RunInTheOrderOfPosting) {
  Jobs jobs;
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) jobs.post([&order, i](Worker&) { order.push_back(i); });
  jobs.run(no_worker());
  EXPECT_THAT(order, ::testing::ElementsAre(0, 1, 2));
  jobs.run(no_worker());
  EXPECT_EQ(order.size(), 3U);
}

TEST(Jobs, WhatAJobPostsRunsTheNextTime) {
  Jobs jobs;
  int ran = 0;
  jobs.post([&](Worker&) { jobs.post([&](Worker&) { ++ran; }); });
  jobs.run(no_worker());
  EXPECT_EQ(ran, 0);
  jobs.run(no_worker());
  EXPECT_EQ(ran, 1);
}

TEST(Jobs, FromManyThreadsEachRunsOnce) {
  constexpr int k_threads = 4, k_jobs = 10'000;
  Jobs jobs;
  std::vector<int> ran(k_threads);
  std::vector<std::thread> threads;
  threads.reserve(k_threads);
  for (int thread = 0; thread < k_threads; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < k_jobs; ++i)
        jobs.post([&, thread](Worker&) { ++ran[static_cast<size_t>(thread)]; });
    });
  for (auto& thread : threads) {
    jobs.run(no_worker());  // while others post
    thread.join();
  }
  jobs.run(no_worker());
  EXPECT_THAT(ran, ::testing::Each(k_jobs));
}

TEST(Jobs, AreForgottenWithTheirOwner) {
  const auto held = std::make_shared<int>();
  {
    Jobs jobs;
    jobs.post([held](Worker&) { FAIL(); });
    jobs.post([held](Worker&) { FAIL(); });
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace margay::vector
