#include "dataplane/linux/tracked_flows.h"

#include <gmock/gmock.h>

namespace margay::dataplane::linux_host {
namespace {

using base::IPAddress;
using testing::ElementsAre;
using testing::IsEmpty;

const IPAddress k_address = *IPAddress::parse("10.65.0.2");
constexpr int k_link = 7, k_other_link = 8;

class TrackedFlowsTest : public testing::Test {
 protected:
  // In use by the workload behind k_link, with nothing to forget.
  void SetUp() override {
    flows_.adopt(k_address, k_link);
    ASSERT_TRUE(flows_.hand_to(k_address, k_link));
  }

  std::vector<IPAddress> forgotten_;
  int failures_to_come_ = 0;
  TrackedFlows flows_{[this](std::span<const IPAddress> addresses) -> base::Result<> {
    if (failures_to_come_ > 0) {
      --failures_to_come_;
      return base::fail(base::ErrorCode::unavailable, "no answer");
    }
    forgotten_.insert(forgotten_.end(), addresses.begin(), addresses.end());
    return {};
  }};
};

TEST_F(TrackedFlowsTest, OfAnAddressInUseStay) {
  ASSERT_TRUE(flows_.flush());
  EXPECT_TRUE(flows_.hand_to(k_address, k_link));
  ASSERT_TRUE(flows_.flush());
  EXPECT_THAT(forgotten_, IsEmpty());
}

TEST_F(TrackedFlowsTest, GoWithTheAddress) {
  flows_.give_up(k_address);
  flows_.give_up(k_address);
  ASSERT_TRUE(flows_.flush());
  ASSERT_TRUE(flows_.flush());
  EXPECT_THAT(forgotten_, ElementsAre(k_address));
}

TEST_F(TrackedFlowsTest, GoBeforeAnotherInterfaceTakesTheAddress) {
  EXPECT_FALSE(flows_.hand_to(k_address, k_other_link));
  EXPECT_TRUE(flows_.waits(k_address));
  ASSERT_TRUE(flows_.flush());
  EXPECT_THAT(forgotten_, ElementsAre(k_address));
  EXPECT_TRUE(flows_.hand_to(k_address, k_other_link));
}

TEST_F(TrackedFlowsTest, OfAnAddressThatComesIntoUseGo) {
  const auto fresh = *IPAddress::parse("10.65.0.9");
  EXPECT_FALSE(flows_.hand_to(fresh, k_link));
  ASSERT_TRUE(flows_.flush());
  EXPECT_THAT(forgotten_, ElementsAre(fresh));
}

TEST_F(TrackedFlowsTest, AreForgottenLaterWhenThatFails) {
  failures_to_come_ = 2;
  flows_.give_up(k_address);
  EXPECT_FALSE(flows_.flush());
  EXPECT_FALSE(flows_.hand_to(k_address, k_link)) << "of the next workload, on the same link";
  EXPECT_FALSE(flows_.flush());
  EXPECT_TRUE(flows_.waits(k_address));
  ASSERT_TRUE(flows_.flush());
  EXPECT_THAT(forgotten_, ElementsAre(k_address));
  EXPECT_FALSE(flows_.waits(k_address));
}

TEST_F(TrackedFlowsTest, OfAnAddressThatWasNeverInUseAreNotLookedFor) {
  flows_.give_up(*IPAddress::parse("10.65.0.9"));
  failures_to_come_ = 1;
  EXPECT_TRUE(flows_.flush());
}

}  // namespace
}  // namespace margay::dataplane::linux_host
