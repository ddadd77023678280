#include "node/health.h"

#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <sstream>

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

std::string get(uint16_t port, const std::string& request) {
  boost::asio::ip::tcp::iostream stream("127.0.0.1", std::to_string(port));
  stream << request << std::flush;
  std::ostringstream answer;
  answer << stream.rdbuf();
  return answer.str();
}

TEST(HttpEndpointTest, AnswersGetByPathAndRefusesTheRest) {
  const auto endpoint = HttpEndpoint::start("127.0.0.1", 0, [](std::string_view path) {
    return HttpEndpoint::Reply{path == "/known" ? 200U : 404U, "text/plain", "x\n"};
  });
  ASSERT_TRUE(endpoint);
  const uint16_t port = (*endpoint)->port();
  const std::string end = "Host: x\r\nConnection: close\r\n\r\n";
  EXPECT_TRUE(get(port, "GET /known?verbose HTTP/1.1\r\n" + end).starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(get(port, "GET /other HTTP/1.1\r\n" + end).starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(get(port, "DELETE /known HTTP/1.1\r\n" + end).starts_with("HTTP/1.1 405"));
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
