#include "lab/scheduler.h"

#include <gtest/gtest.h>

namespace margay::lab {
namespace {

const SchedulableNode k_busy{"node1", {{"disk", "ssd"}, {"zone", "a"}}, 3};
const SchedulableNode k_idle{"node2", {{"disk", "hdd"}, {"zone", "a"}}, 1};
const SchedulableNode k_idle_too{"node3", {{"disk", "hdd"}, {"zone", "b"}}, 1};
const std::vector k_nodes{k_idle_too, k_busy, k_idle};

PodView with_selector(std::map<std::string, std::string> selector) {
  PodView pod;
  pod.node_selector = std::move(selector);
  return pod;
}

TEST(ChooseNode, TakesTheOneWithFewestPodsThenTheFirstByName) {
  EXPECT_EQ(choose_node({}, k_nodes).value(), "node2");
}

TEST(ChooseNode, HoldsToTheNodeSelector) {
  EXPECT_EQ(choose_node(with_selector({{"disk", "ssd"}}), k_nodes).value(), "node1");
  EXPECT_EQ(choose_node(with_selector({{"disk", "hdd"}, {"zone", "b"}}), k_nodes).value(), "node3");
}

TEST(ChooseNode, SaysWhenThereIsNone) {
  const auto node = choose_node(with_selector({{"disk", "tape"}}), k_nodes);
  ASSERT_FALSE(node);
  EXPECT_EQ(node.error().message,
            "0/3 nodes are available: 3 node(s) didn't match Pod's node selector");
  EXPECT_FALSE(choose_node({}, {}));
}

}  // namespace
}  // namespace margay::lab
