#include "node/health.h"

#include <gtest/gtest.h>

#include "node/http_endpoint.h"

namespace margay::node {
namespace {

using namespace std::chrono_literals;

struct HealthTest : testing::Test {
  base::FakeClock clock;
  Health health{clock};
};

TEST_F(HealthTest, ReadyOnceEveryPartIs) {
  health.add_part("graph", 0ms);
  health.add_part("data plane", 0ms);
  health.report("graph", true);
  EXPECT_FALSE(health.ready().good);
  EXPECT_TRUE(health.live().good);
  health.report("data plane", true);
  EXPECT_TRUE(health.ready().good);
  health.report("data plane", false, "iptables-restore failed");
  EXPECT_FALSE(health.ready().good);
  EXPECT_NE(health.ready().text.find("data plane: not ready (iptables-restore failed)"),
            std::string::npos);
}

TEST_F(HealthTest, APartThatGoesSilentIsNeitherLiveNorReady) {
  health.add_part("graph", 10s);
  health.report("graph", true);
  clock.advance(10s);
  EXPECT_TRUE(health.live().good);
  clock.advance(1ms);
  EXPECT_FALSE(health.live().good);
  EXPECT_FALSE(health.ready().good);
  health.report("graph", true);
  EXPECT_TRUE(health.live().good);
}

TEST(HttpEndpointTest, RefusesAPortThatIsTaken) {
  const auto handler = [](std::string_view) { return HttpEndpoint::Reply{}; };
  const auto first = HttpEndpoint::start("127.0.0.1", 0, handler);
  ASSERT_TRUE(first);
  const auto second = HttpEndpoint::start("127.0.0.1", (*first)->port(), handler);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, base::ErrorCode::unavailable);
}

}  // namespace
}  // namespace margay::node
