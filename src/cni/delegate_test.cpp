#include "cni/delegate.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cni/testing/plugin_fixture.h"

namespace margay::cni {
namespace {

using base::IPAddress;
using testing::Container;
using testing::PluginTest;

// A stand-in for host-local: says what it was given, and answers as told.
class ForeignIpam {
 public:
  explicit ForeignIpam(const std::string& body) {
    std::ofstream(folder_.file("host-local"))
        << "#!/bin/sh\ncat > " << folder_.file("$CNI_COMMAND") << "\n"
        << body << "\n";
    std::filesystem::permissions(folder_.file("host-local"), std::filesystem::perms::owner_all);
  }
  std::string folder() const { return folder_.file(""); }
  std::string input_of(const std::string& command) const {
    std::ifstream file(folder_.file(command));
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  store::testing::TemporaryFolder folder_;
};

std::string foreign_conf() {
  return R"({"cniVersion":"0.3.1","name":"n","type":"calico","nodename":"node1",
             "policy":{"type":"k8s"},
             "ipam":{"type":"host-local","subnet":"usePodCidr","routes":[{"dst":"10.0.0.0/8"}]}})";
}

TEST_F(PluginTest, OtherIpamIsRunAsAProgramWithTheNodesPodCidr) {
  store_.put("nodes", "", "node1",
             R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"node1"},
                 "spec":{"podCIDR":"10.50.0.0/24","podCIDRs":["10.50.0.0/24"]}})");
  const ForeignIpam foreign(
      R"([ $CNI_COMMAND = DEL ] || echo '{"cniVersion":"0.3.1","ips":[{"version":"4","address":"10.50.0.2/24"}]}')");
  const Container container{.folders = foreign.folder()};
  const auto result = add(container, foreign_conf());
  EXPECT_EQ(result.addresses, std::vector{IPAddress::parse("10.50.0.2").value()});
  EXPECT_NE(foreign.input_of("ADD").find(R"("subnet":"10.50.0.0/24")"), std::string::npos)
      << foreign.input_of("ADD");
  const std::string routes = run_in(*container_, {"ip", "-4", "route"});
  EXPECT_NE(routes.find("10.0.0.0/8 via 169.254.1.1"), std::string::npos) << routes;
  EXPECT_EQ(routes.find("default"), std::string::npos) << "only the routes asked for: " << routes;
  EXPECT_EQ(call("DEL", container, foreign_conf()).status, 0);
  EXPECT_NE(foreign.input_of("DEL"), "");
  EXPECT_EQ(assigned(), 0U);
}

TEST_F(PluginTest, ErrorsOfOtherIpamArePassedOn) {
  store_.put("nodes", "", "node1",
             R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"node1"},
                 "spec":{"podCIDR":"10.50.0.0/24"}})");
  const ForeignIpam full(R"(echo '{"code":11,"msg":"no room"}'; exit 1)");
  auto answer = call("ADD", {.folders = full.folder()}, foreign_conf());
  EXPECT_NE(answer.output.find(R"("code":11,)"), std::string::npos) << answer.output;
  EXPECT_NE(answer.output.find("no room"), std::string::npos) << answer.output;
  answer = call("ADD", {.folders = "/nowhere"}, foreign_conf());
  EXPECT_NE(answer.output.find("IPAM plugin host-local is not in CNI_PATH"), std::string::npos);
}

}  // namespace
}  // namespace margay::cni
