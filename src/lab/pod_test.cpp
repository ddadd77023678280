#include "lab/pod.h"

#include <gtest/gtest.h>

#include "lab/pod_status.h"

namespace margay::lab {
namespace {

json::object pod_with(const std::string& spec, const std::string& status = "{}") {
  return parse_object(R"({"metadata": {"namespace": "shop", "name": "web", "uid": "u1",
                          "labels": {"app": "web"}}, "spec": )" +
                      spec + R"(, "status": )" + status + "}")
      .value();
}

TEST(PodView, ReadsWhatTheLabNeeds) {
  const auto pod = pod_with(R"({"nodeName": "node1", "serviceAccountName": "web",
      "nodeSelector": {"zone": "a"}, "hostNetwork": true,
      "containers": [{"name": "c", "image": "i",
                      "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]},
                     {"name": "d", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]})",
                            R"({"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]})");
  const auto view = PodView::read(pod).value();
  EXPECT_EQ(view.id(), "shop/web");
  EXPECT_EQ(view.node_name, "node1");
  EXPECT_EQ(view.labels.at("app"), "web");
  EXPECT_EQ(view.node_selector.at("zone"), "a");
  EXPECT_TRUE(view.host_network);
  EXPECT_FALSE(view.deleting);
  EXPECT_EQ(view.addresses, std::vector<std::string>{"10.0.0.1"});
  ASSERT_EQ(view.ports().size(), 2U) << "the same port of two containers is served once";
  EXPECT_EQ(view.ports()[0].to_string(), "tcp:80");
  EXPECT_EQ(view.ports()[1].to_string(), "udp:53");
}

TEST(PodView, NamesThePodWithABadPort) {
  const auto view = PodView::read(
      pod_with(R"({"containers": [{"name": "c", "ports": [{"containerPort": 0}]}]})"));
  ASSERT_FALSE(view);
  EXPECT_NE(view.error().message.find("shop/web"), std::string::npos) << view.error().message;
}

TEST(PodStatus, SaysRunningAndReady) {
  const auto pod = pod_with(R"({"containers": [{"name": "c", "image": "i"}]})");
  const auto status =
      running_status(pod, PodView::read(pod).value(),
                     {"id", "172.18.0.11", {"10.0.0.1", "fd00::1"}, {}, "2021-04-30T12:00:00Z"});
  EXPECT_EQ(status.at("phase"), "Running");
  EXPECT_EQ(status.at("podIP"), "10.0.0.1");
  EXPECT_EQ(status.at("podIPs").as_array().size(), 2U);
  EXPECT_EQ(status.at("containerStatuses").at(0).at("ready"), true);
  for (const auto& condition : status.at("conditions").as_array()) {
    EXPECT_EQ(condition.at("status"), "True") << condition.at("type");
  }
}

TEST(PodStatus, APortThatIsNotServedMakesItNotReady) {
  const auto pod = pod_with(R"({"containers": [{"name": "c"}]})");
  const auto status = running_status(
      pod, PodView::read(pod).value(),
      {"id", "172.18.0.11", {"10.0.0.1"}, {"sctp:80: Protocol not supported"}, "now"});
  EXPECT_EQ(status.at("phase"), "Running");
  const auto& ready = status.at("conditions").at(1);
  EXPECT_EQ(ready.at("type"), "Ready");
  EXPECT_EQ(ready.at("status"), "False");
  EXPECT_EQ(ready.at("message"), "sctp:80: Protocol not supported");
}

TEST(PodStatus, IsNewsOnlyWhenMoreThanTimeChanged) {
  auto pod = pod_with(R"({"containers": [{"name": "c"}]})");
  const auto view = PodView::read(pod).value();
  RunningPod running{"id", "172.18.0.11", {"10.0.0.1"}, {}, "2021-04-30T12:00:00Z"};
  EXPECT_FALSE(has_status(pod, running_status(pod, view, running)));

  pod["status"] = running_status(pod, view, running);
  running.now = "2021-04-30T13:00:00Z";
  EXPECT_TRUE(has_status(pod, running_status(pod, view, running)));
  running.addresses = {"10.0.0.2"};
  EXPECT_FALSE(has_status(pod, running_status(pod, view, running)));
}

TEST(PodStatus, PendingSaysWhatForOnce) {
  auto pod = pod_with("{}");
  const auto status = pending_status(pod, "PodScheduled", "Unschedulable", "no node", "now");
  EXPECT_FALSE(has_status(pod, status));
  pod["status"] = status;
  EXPECT_TRUE(
      has_status(pod, pending_status(pod, "PodScheduled", "Unschedulable", "no node", "later")));
  EXPECT_FALSE(
      has_status(pod, pending_status(pod, "PodScheduled", "Unschedulable", "other", "now")));
}

TEST(NodeStatus, BecomesReadyOnce) {
  const auto node = parse_object(R"({"metadata": {"name": "node1"}, "status": {"conditions":
      [{"type": "Ready", "status": "Unknown"}, {"type": "NetworkUnavailable", "status": "False"}]}})")
                        .value();
  const auto ready = with_ready_condition(node, "2021-04-30T12:00:00Z");
  ASSERT_TRUE(ready);
  const auto& conditions = ready->at("status").at("conditions").as_array();
  ASSERT_EQ(conditions.size(), 2U);
  EXPECT_EQ(conditions.at(1).at("type"), "Ready");
  EXPECT_EQ(conditions.at(1).at("status"), "True");
  EXPECT_FALSE(with_ready_condition(*ready, "2021-04-30T13:00:00Z"));
  EXPECT_TRUE(with_ready_condition({{"metadata", {{"name", "node1"}}}}, "now")) << "no status yet";
}

}  // namespace
}  // namespace margay::lab
