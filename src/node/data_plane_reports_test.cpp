#include "node/data_plane_reports.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"

namespace margay::node {
namespace {

using dataplane::EndpointState;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(StatusFileName, EscapesWhatAPathSegmentCannotHave) {
  const std::pair<policy::WorkloadKey, std::string> cases[] = {
      {{"n", "k8s", "default/testpod1", "eth0"}, "k8s default%2Ftestpod1 eth0"},
      {{"n/o", "k8/s", "a/b/c", "eth/0"}, "k8%2Fs a%2Fb%2Fc eth%2F0"},
      {{"n", "k8s", "default/t est", "eth0"}, "k8s default%2Ft%20est eth0"},
      {{"n", "k8s", "a.b-c_d~e", "$&+=:@"}, "k8s a.b-c_d~e $&+=:@"},
      {{"n", "k8s", "a%,;?", "é"}, "k8s a%25%2C%3B%3F %C3%A9"},
  };
  for (const auto& [key, name] : cases) EXPECT_EQ(status_file_name(key), name);
}

struct StatusFilesTest : testing::Test {
  std::filesystem::path directory =
      std::filesystem::temp_directory_path() / fmt::format("margay-status-{}", getpid());
  AgentMetrics metrics{"node-a"};

  ~StatusFilesTest() override { std::filesystem::remove_all(directory); }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    if (!exists(directory)) return names;
    for (const auto& file : std::filesystem::directory_iterator(directory))
      names.push_back(file.path().filename());
    return names;
  }
  static dataplane::EndpointReport report(const std::string& pod, EndpointState state) {
    return {policy::WorkloadKey{"node-a", "k8s", "ns/" + pod, "eth0"}, {{state, ""}}};
  }
};

TEST_F(StatusFilesTest, AreThereForWorkloadEndpointsThatAreUp) {
  DataPlaneReports reports({.status_directory = directory}, metrics);
  reports.on_endpoint_status(report("up", EndpointState::up));
  reports.on_endpoint_status(report("down", EndpointState::down));
  reports.on_endpoint_status(report("bad", EndpointState::error));
  reports.on_endpoint_status(
      {policy::HostEndpointKey{"node-a", "uplink"}, {{EndpointState::up, ""}}});
  EXPECT_THAT(files(), UnorderedElementsAre("k8s ns%2Fup eth0"));
  EXPECT_EQ(base::read_file(directory / "k8s ns%2Fup eth0"), "{\"status\":\"up\"}\n");

  reports.on_endpoint_status(report("up", EndpointState::error));
  EXPECT_THAT(files(), IsEmpty());
  reports.on_endpoint_status(report("up", EndpointState::up));
  reports.on_endpoint_status({report("up", EndpointState::up).key, std::nullopt});
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(StatusFilesTest, OfAnEarlierRunStayUntilEveryEndpointIsReported) {
  for (const char* name : {"k8s ns%2Fold eth0", "k8s ns%2Fkept eth0"})
    ASSERT_TRUE(base::write_file(directory / name, "x"));
  DataPlaneReports reports({.status_directory = directory}, metrics);
  reports.on_endpoint_status(report("kept", EndpointState::up));
  EXPECT_EQ(files().size(), 2U);
  reports.on_all_reported();
  EXPECT_THAT(files(), UnorderedElementsAre("k8s ns%2Fkept eth0"));
}

TEST_F(StatusFilesTest, AreNotWrittenUnlessAskedFor) {
  DataPlaneReports reports({}, metrics);
  reports.on_endpoint_status(report("up", EndpointState::up));
  reports.on_all_reported();
  EXPECT_THAT(files(), IsEmpty());
  EXPECT_EQ(metrics.data_plane_endpoints.at(EndpointState::up)->Value(), 1);
}

TEST_F(StatusFilesTest, KeysGoToWhoeverPublishesThem) {
  std::string published;
  DataPlaneReports reports({.on_public_key = [&](const auto& key) { published = key.key; }},
                           metrics);
  reports.on_public_key({"wireguard.cali", "abc="});
  EXPECT_EQ(published, "abc=");
}

}  // namespace
}  // namespace margay::node
