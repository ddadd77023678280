// Writes to the /status of an object.

#include <gmock/gmock.h>

#include "apiserver/router_fixture.h"

namespace margay::apiserver {
namespace {

constexpr auto k_config_maps = "/api/v1/namespaces/default/configmaps";
constexpr auto k_pods = "/api/v1/namespaces/default/pods";

constexpr auto k_pod = R"({"metadata":{"name":"p"},
  "spec":{"nodeName":"node1","containers":[{"name":"c","image":"i"}]}})";

class StatusTest : public RouterFixture {};

TEST_F(StatusTest, IsWrittenOnlyThroughItsSubresource) {
  post(k_pods, k_pod);
  const auto pod = std::string(k_pods) + "/p";
  EXPECT_EQ(get(pod).text({"status", "phase"}), "Pending");
  patch(pod, "merge-patch+json", R"({"status":{"phase":"Running"}})");
  EXPECT_EQ(get(pod).text({"status", "phase"}), "Pending");
  const auto written = patch(pod + "/status", "merge-patch+json",
                             R"({"spec":{"nodeName":"other"},"status":{"phase":"Running"}})");
  ASSERT_EQ(written.code(), 200) << written.response.body;
  EXPECT_EQ(written.text({"status", "phase"}), "Running");
  EXPECT_EQ(written.text({"spec", "nodeName"}), "node1");
  EXPECT_EQ(get(pod).text({"spec", "serviceAccountName"}), "default");
}

// Every kind of Kubernetes' own with a status lets it be written together with the metadata; the
// pod's owners alone are not a status' to change.
TEST_F(StatusTest, KeepsTheLabelsAndAnnotationsThatComeWithIt) {
  post(k_pods, k_pod);
  post("/api/v1/nodes", R"({"metadata":{"name":"n"}})");
  post("/api/v1/namespaces/default/services",
       R"({"metadata":{"name":"s"},"spec":{"ports":[{"port":80}]}})");
  const std::string objects[] = {std::string(k_pods) + "/p", "/api/v1/nodes/n",
                                 "/api/v1/namespaces/default",
                                 "/api/v1/namespaces/default/services/s"};
  for (const auto& object : objects) {
    SCOPED_TRACE(object);
    const auto before = get(object);
    const auto patched =
        patch(object + "/status", "strategic-merge-patch+json",
              R"({"metadata":{"annotations":{"cni.projectcalico.org/podIP":"10.0.0.1/32"},
            "labels":{"x":"y"},"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap",
            "name":"o","uid":"u"}]}})");
    ASSERT_EQ(patched.code(), 200) << patched.response.body;
    EXPECT_EQ(patched.text({"metadata", "annotations", "cni.projectcalico.org/podIP"}),
              "10.0.0.1/32");
    EXPECT_EQ(patched.text({"metadata", "labels", "x"}), "y");
    EXPECT_EQ(patched.body.at("status"), before.body.at("status"));
    EXPECT_EQ(find_at(patched.body, {"metadata", "ownerReferences"}) == nullptr,
              object == objects[0]);
    auto replaced = patched.body;
    metadata_of(replaced)["labels"].as_object()["z"] = "put";
    EXPECT_EQ(put(object + "/status", replaced).text({"metadata", "labels", "z"}), "put");
  }
}

TEST_F(StatusTest, KindsWithoutStatusHaveNone) {
  post(k_config_maps, R"({"metadata":{"name":"a"}})");
  EXPECT_EQ(get(std::string(k_config_maps) + "/a/status").code(), 404);
  EXPECT_EQ(get(std::string(k_pods) + "/p/exec").code(), 501);
}

}  // namespace
}  // namespace margay::apiserver
