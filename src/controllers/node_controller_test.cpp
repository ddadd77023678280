#include "controllers/node_controller.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "ipam/testing/cluster_fixture.h"

namespace margay::controllers {
namespace {

using ipam::testing::Cluster;
using namespace std::chrono_literals;

class NodeControllerTest : public testing::Test {
 protected:
  NodeControllerTest() {
    cluster_.add_node("node1");
    cluster_.add_node("node2");
  }
  NodeController::Look look(std::chrono::minutes later = 0min) {
    clock_.advance(later);
    const auto looked = controller_.look();
    if (!looked) ADD_FAILURE() << looked.error().message;
    return looked.value_or(NodeController::Look{});
  }
  bool is_told_of_a_gone_node() {
    std::unique_lock lock(mutex_);
    return told_.wait_for(lock, 30s, [this] { return is_told_; });
  }

  Cluster cluster_;
  base::FakeClock clock_;
  std::mutex mutex_;
  std::condition_variable told_;
  bool is_told_ = false;
  NodeController controller_{
      cluster_.store(), clock_, {.leak_grace = 15min, .on_node_gone = [this] {
                                   const std::scoped_lock lock(mutex_);
                                   is_told_ = true;
                                   told_.notify_all();
                                 }}};
};

TEST_F(NodeControllerTest, AGoneNodeIsClearedAtOnce) {
  cluster_.assign("web", "node1");
  cluster_.assign_tunnel("node1");
  EXPECT_EQ(look().collected.addresses, 0U);
  cluster_.remove_kubernetes_node("node1");
  EXPECT_TRUE(is_told_of_a_gone_node()) << "and so somebody looks";
  const auto cleared = look();
  EXPECT_EQ(cleared.collected.addresses, 2U);
  EXPECT_EQ(cleared.collected.nodes, 1U);
  EXPECT_EQ(ipam::check(cluster_.store())->blocks, 0U);
}

TEST_F(NodeControllerTest, ALeakOnANodeThatIsThereWaitsForItsGrace) {
  cluster_.assign("web", "node1");
  EXPECT_EQ(look().suspects, 1U);
  EXPECT_EQ(look(14min).collected.addresses, 0U);
  EXPECT_EQ(look(1min).collected.addresses, 1U);
  EXPECT_EQ(look().suspects, 0U) << "nothing is remembered";
}

TEST_F(NodeControllerTest, TimeInWhichNobodyLookedIsNotOfTheGrace) {
  cluster_.assign("web", "node1");
  look();
  controller_.skip();
  EXPECT_EQ(look(20min).collected.addresses, 0U);
  EXPECT_EQ(look(15min).collected.addresses, 1U);
}

TEST_F(NodeControllerTest, APodThatComesBackEndsTheSuspicion) {
  const std::string address = cluster_.assign("web", "node1");
  look();
  cluster_.put_running_pod("web", "node1", address);
  EXPECT_EQ(look(20min).suspects, 0U);
  cluster_.remove_pod("web");
  EXPECT_EQ(look(20min).collected.addresses, 0U) << "the grace begins anew";
}

TEST_F(NodeControllerTest, ANodeWhoseKubeletIsNotHeardOfLosesNothing) {
  cluster_.assign("web", "node1");
  look();
  cluster_.scratch().put("nodes", "", "node1",
                         R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"node1"},
                             "status":{"conditions":[{"type":"Ready","status":"Unknown"}]}})");
  EXPECT_EQ(look(60min).collected.addresses, 0U);
  EXPECT_EQ(look(60min).collected.addresses, 0U);
}

TEST_F(NodeControllerTest, PodsOfAGoneNodeAreWaitedFor) {
  const std::string address = cluster_.assign("web", "node1");
  cluster_.put_running_pod("web", "node1", address);
  cluster_.remove_kubernetes_node("node1");
  EXPECT_TRUE(look().is_waiting_for_pods);
  cluster_.remove_pod("web");
  const auto cleared = look();
  EXPECT_FALSE(cleared.is_waiting_for_pods);
  EXPECT_EQ(cleared.collected.addresses, 1U) << "without a grace";
}

// What a node that comes back does, and what it finds: nothing of what it had.
TEST_F(NodeControllerTest, ANodeThatComesBackBeginsAnew) {
  cluster_.assign("web", "node1");
  cluster_.remove_kubernetes_node("node1");
  look();
  cluster_.add_node("node1");
  const std::string address = cluster_.assign("api", "node1");
  cluster_.put_running_pod("api", "node1", address);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(look(20min).collected.addresses, 0U);
  EXPECT_TRUE(ipam::check(cluster_.store())->findings.empty());
}

}  // namespace
}  // namespace margay::controllers
