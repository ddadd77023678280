// The runtime's side of CNI against a plugin that writes down how it was called.

#include "lab/cni_runtime.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <optional>

#include "base/file.h"

namespace margay::lab {
namespace {

class CniRuntimeTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = "/tmp/mt-lab-cni-XXXXXX";
    directory_ = mkdtemp(path.data());
    configure("[{\"type\": \"first\"}]");
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void configure(const std::string& plugins) {
    ASSERT_TRUE(base::write_file(
        directory_ / "net.conflist",
        fmt::format(R"({{"cniVersion": "0.3.1", "name": "pods", "plugins": {}}})", plugins)));
  }
  void plugin(const std::string& name, const std::string& script) {
    const auto path = directory_ / name;
    ASSERT_TRUE(base::write_file(path, "#!/bin/sh\n" + script));
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  // What a plugin wrote there.
  std::string written(const std::string& name) {
    return base::read_file(directory_ / name).value_or("(nothing)");
  }

  const CniRuntime& runtime() { return runtime_.emplace(directory_ / "net.conflist", directory_); }

  std::filesystem::path directory_;
  std::optional<CniRuntime> runtime_;
  const CniContainer container_{.id = "c0ffee",
                                .network_namespace = "/run/netns/x",
                                .pod_namespace = "shop",
                                .pod_name = "web",
                                .pod_uid = "u1"};
};

constexpr const char* k_result =
    R"(echo '{"cniVersion": "0.3.1", "ips": [{"version": "4", "address": "10.0.0.7/32"},
                                              {"version": "6", "address": "fd00::7/128"}]}')";

TEST_F(CniRuntimeTest, AddTellsThePluginWhatTheSpecificationAsksFor) {
  plugin("first",
         fmt::format("env > {0}/env; cat > {0}/stdin; {1}", directory_.string(), k_result));
  const auto addresses = runtime().add(container_);
  ASSERT_TRUE(addresses) << addresses.error().message;
  ASSERT_EQ(addresses->size(), 2U);
  EXPECT_EQ((*addresses)[0].to_string(), "10.0.0.7");
  EXPECT_EQ((*addresses)[1].to_string(), "fd00::7");

  const auto environment = written("env");
  for (const auto& line : {std::string("CNI_COMMAND=ADD"), std::string("CNI_CONTAINERID=c0ffee"),
                           std::string("CNI_NETNS=/run/netns/x"), std::string("CNI_IFNAME=eth0"),
                           "CNI_PATH=" + directory_.string(),
                           std::string("CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;"
                                       "K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=c0ffee;"
                                       "K8S_POD_UID=u1")}) {
    EXPECT_NE(environment.find(line + "\n"), std::string::npos) << line;
  }
  EXPECT_EQ(boost::json::parse(written("stdin")),
            boost::json::parse(R"({"type": "first", "name": "pods", "cniVersion": "0.3.1"})"));
}

TEST_F(CniRuntimeTest, PluginsOfAListGetTheResultBefore) {
  configure(R"([{"type": "first"}, {"type": "second"}])");
  plugin("first", k_result);
  plugin("second", fmt::format("cat > {}/stdin; {}", directory_.string(), k_result));
  ASSERT_TRUE(runtime().add(container_));
  const auto input = boost::json::parse(written("stdin"));
  EXPECT_EQ(input.at("prevResult").at("ips").at(0).at("address"), "10.0.0.7/32");
}

TEST_F(CniRuntimeTest, DelGoesThroughTheListBackwards) {
  configure(R"([{"type": "first"}, {"type": "second"}])");
  plugin("first", fmt::format("echo first $CNI_COMMAND >> {}/order", directory_.string()));
  plugin("second", fmt::format("echo second $CNI_COMMAND >> {}/order", directory_.string()));
  ASSERT_TRUE(runtime().del(container_));
  EXPECT_EQ(written("order"), "second DEL\nfirst DEL\n");
}

TEST_F(CniRuntimeTest, AFailureIsToldInThePluginsOwnWords) {
  plugin(
      "first",
      R"(echo '{"cniVersion": "0.3.1", "code": 11, "msg": "try again", "details": "busy"}'; exit 1)");
  const auto addresses = runtime().add(container_);
  ASSERT_FALSE(addresses);
  EXPECT_EQ(addresses.error().message, "CNI plugin first, ADD: try again: busy (code 11)");
}

TEST_F(CniRuntimeTest, APluginThatDiesOrLiesIsAnError) {
  struct Case {
    const char *name, *script;
  };
  for (const auto& [name, script] : std::vector<Case>{
           {"killed", "kill -9 $$"},
           {"no addresses", "echo '{\"cniVersion\": \"0.3.1\"}'"},
           {"not JSON", "echo hello"},
           {"a bad address", R"(echo '{"ips": [{"address": "10.0.0.300/32"}]}')"},
       }) {
    plugin("first", script);
    EXPECT_FALSE(runtime().add(container_)) << name;
  }
}

TEST_F(CniRuntimeTest, ABadConfigurationNamesFileAndField) {
  for (const char* plugins : {"{}", "[{}]", "[1]"}) {
    configure(plugins);
    const auto done = runtime().del(container_);
    ASSERT_FALSE(done) << plugins;
    EXPECT_NE(done.error().message.find("net.conflist: plugins"), std::string::npos)
        << done.error().message;
  }
}

}  // namespace
}  // namespace margay::lab
