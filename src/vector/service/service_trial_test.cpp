#include <gtest/gtest.h>

#include "vector/service/testing/service_trial.h"

namespace margay::vector::testing {
namespace {

void expect_no_mismatch(const TrialReport& report) {
  EXPECT_EQ(report.mismatches, 0U) << report.description;
  for (size_t result = 0; result < report.results.size(); ++result)
    EXPECT_NE(report.results[result], 0U) << "the trial never came to result " << result;
  EXPECT_NE(report.bound, 0U) << "no client ever came back";
}

TEST(ServiceTrial, TheTableMeansWhatTheModelSays) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    const auto report = run_service_trial(seed, 20'000);
    expect_no_mismatch(report);
    EXPECT_EQ(report.evictions, 0U) << "there was room for all clients";
  }
}

TEST(ServiceTrial, WithoutRoomForAllClientsTheHashDecides) {
  const auto report = run_service_trial(5, 20'000, 16);
  expect_no_mismatch(report);
  EXPECT_NE(report.evictions, 0U);
}

}  // namespace
}  // namespace margay::vector::testing
