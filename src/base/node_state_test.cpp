#include "base/node_state.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"

namespace margay::base {
namespace {

struct NodeStateTest : testing::Test {
  std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("margay-node-state-" + std::to_string(getpid()));
  NodeState state{.lib = directory / "lib", .run = directory / "run"};

  ~NodeStateTest() override { std::filesystem::remove_all(directory); }
};

TEST_F(NodeStateTest, IsInCalicosPlacesUnlessTheEnvironmentSaysOtherwise) {
  const char* none[] = {"MARGAY_STATE_DIR=", nullptr};
  EXPECT_EQ(NodeState::from_environment(none).mtu_file(), "/var/lib/calico/mtu");
  EXPECT_EQ(NodeState::from_environment(none).closed_start_file(), "/var/run/calico/closed-start");
  const char* lab[] = {"MARGAY_STATE_DIR=/a", "MARGAY_RUN_DIR=/b", nullptr};
  EXPECT_EQ(NodeState::from_environment(lab).mtu_file(), "/a/mtu");
  EXPECT_EQ(NodeState::from_environment(lab).endpoint_status_directory(), "/b/endpoint-status");
}

TEST_F(NodeStateTest, TheClosedStartHoldsForThisBootOnly) {
  EXPECT_FALSE(has_closed_start(state));
  ASSERT_TRUE(mark_closed_start(state));
  EXPECT_TRUE(has_closed_start(state));
  ASSERT_TRUE(write_file(state.closed_start_file(), "0d0c2c5e-0000-4000-8000-000000000000\n"));
  EXPECT_FALSE(has_closed_start(state)) << "left by an earlier boot";
}

TEST_F(NodeStateTest, TheMtuIsReadAsItWasWritten) {
  EXPECT_EQ(read_workload_mtu(state).error().code, ErrorCode::not_found);
  ASSERT_TRUE(write_workload_mtu(state, 1410));
  EXPECT_EQ(read_workload_mtu(state), 1410U);
  ASSERT_TRUE(write_file(state.mtu_file(), "1440\n"));
  EXPECT_EQ(read_workload_mtu(state), 1440U) << "as Calico's node writes it, or a person";
  for (const char* text : {"", "0", "big", "1440x", "-1"}) {
    ASSERT_TRUE(write_file(state.mtu_file(), text));
    EXPECT_FALSE(read_workload_mtu(state)) << text;
  }
}

}  // namespace
}  // namespace margay::base
