#include "node/enforcer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace margay::node {
namespace {

using namespace std::chrono_literals;

// What the data plane was asked for, shared with the test's thread.
struct Recorded {
  std::mutex mutex;
  std::condition_variable changed;
  int deltas = 0;
  int applies = 0;
  int resyncs = 0;
  int failures_to_come = 0;

  template <typename Condition>
  bool eventually(Condition condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 20s, condition);
  }
};

class RecordingDataPlane final : public dataplane::DataPlane {
 public:
  explicit RecordingDataPlane(Recorded& recorded) : recorded_(recorded) {}

  dataplane::Capabilities capabilities() const override { return {.name = "recording"}; }
  void on_delta(const policy::Delta&) override {
    count([&] { ++recorded_.deltas; });
  }
  void on_interface_change(const std::string&, bool) override {}
  base::Result<> apply() override {
    base::Result<> result;
    count([&] {
      ++recorded_.applies;
      if (recorded_.failures_to_come > 0) {
        --recorded_.failures_to_come;
        result = base::fail(base::ErrorCode::unavailable, "the kernel is busy");
      }
    });
    return result;
  }
  void resync() override {
    count([&] { ++recorded_.resyncs; });
  }
  base::Result<> clean_up() override { return {}; }

 private:
  template <typename Change>
  void count(Change change) {
    const std::scoped_lock lock(recorded_.mutex);
    change();
    recorded_.changed.notify_all();
  }
  Recorded& recorded_;
};

struct EnforcerTest : testing::Test {
  base::SystemClock clock;
  Health health{clock};
  AgentMetrics metrics{"node-a"};
  Recorded recorded;

  std::unique_ptr<Enforcer> start(std::chrono::milliseconds refresh = 0ms) {
    auto enforcer = std::make_unique<Enforcer>(std::make_unique<RecordingDataPlane>(recorded),
                                               refresh, health, metrics);
    EXPECT_TRUE(enforcer->start());
    return enforcer;
  }
};

TEST_F(EnforcerTest, ProgramsNothingBeforeTheFirstCompleteState) {
  const auto enforcer = start();
  enforcer->deliver({policy::ProfileRemove{"p"}});
  ASSERT_TRUE(recorded.eventually([&] { return recorded.deltas == 1; }));
  EXPECT_FALSE(health.ready().good);
  enforcer->deliver({policy::ProfileRemove{"q"}, policy::InSync{}});
  ASSERT_TRUE(recorded.eventually([&] { return recorded.applies >= 1; }));
  EXPECT_EQ(recorded.deltas, 3) << "applied only after everything was delivered";
}

TEST_F(EnforcerTest, TriesAgainWhatFailed) {
  recorded.failures_to_come = 3;
  const auto enforcer = start();
  enforcer->deliver({policy::InSync{}});
  ASSERT_TRUE(recorded.eventually([&] { return recorded.applies >= 4; }));
  EXPECT_EQ(metrics.data_plane_failures.Value(), 3);
  enforcer->deliver({});
  ASSERT_TRUE(recorded.eventually([&] { return recorded.applies >= 5; }));
  EXPECT_TRUE(health.ready().good);
}

TEST_F(EnforcerTest, LooksOverWhatIsProgrammedAtIntervals) {
  const auto enforcer = start(20ms);
  enforcer->deliver({policy::InSync{}});
  EXPECT_TRUE(recorded.eventually([&] { return recorded.resyncs >= 4 && recorded.applies >= 4; }));
}

}  // namespace
}  // namespace margay::node
