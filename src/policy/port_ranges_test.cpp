#include "policy/port_ranges.h"

#include <gtest/gtest.h>

namespace margay::policy {
namespace {

TEST(Merged, JoinsWhatOverlapsOrTouches) {
  EXPECT_EQ(merged({{10, 20}, {1, 3}, {21, 30}, {15, 16}, {4, 4}, {40, 39}, {65535, 65535}}),
            (std::vector<PortRange>{{1, 4}, {10, 30}, {65535, 65535}}));
}

}  // namespace
}  // namespace margay::policy
