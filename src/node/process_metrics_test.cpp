#include "node/process_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <map>

#include "node/agent_metrics.h"

namespace margay::node {
namespace {

using testing::HasSubstr;
using testing::Not;

std::map<std::string, double> values() {
  std::map<std::string, double> values;
  for (const auto& family : process_metrics())
    values[family.name] = family.type == prometheus::MetricType::Counter
                              ? family.metric.at(0).counter.value
                              : family.metric.at(0).gauge.value;
  return values;
}

TEST(ProcessMetrics, SayWhatTheProcessUses) {
  const auto got = values();
  rusage usage{};
  ASSERT_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
  EXPECT_NEAR(got.at("process_cpu_seconds_total"), cpu, 2.5);
  EXPECT_GT(got.at("process_resident_memory_bytes"), 1e6);
  EXPECT_GE(got.at("process_virtual_memory_bytes"), got.at("process_resident_memory_bytes"));
  const auto now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch());
  EXPECT_LE(got.at("process_start_time_seconds"), now.count() + 1);
  EXPECT_GT(got.at("process_start_time_seconds"), now.count() - 3600);
  EXPECT_GE(got.at("process_open_fds"), 3);
  EXPECT_GT(got.at("process_max_fds"), got.at("process_open_fds"));
}

TEST(ProcessMetrics, AreServedWhereTheyAreAskedFor) {
  const AgentMetrics metrics("node-a");
  EXPECT_THAT(metrics.text(true), HasSubstr("# TYPE process_cpu_seconds_total counter"));
  EXPECT_THAT(metrics.text(false), Not(HasSubstr("process_")));
}

}  // namespace
}  // namespace margay::node
