// What an operator's settings make of the kernel's tables, with both backends.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <thread>

#include "base/unique_fd.h"
#include "dataplane/iptables/iptables_dataplane.h"
#include "dataplane/iptables/linux_names.h"
#include "dataplane/testing/kernel_fixture.h"

namespace margay::dataplane::iptables {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class IptablesSettingsTest : public KernelTest, public testing::WithParamInterface<Backend> {
 protected:
  std::unique_ptr<DataPlane> make(Config config) {
    config.node = "node";
    auto real = system_commands(GetParam(), config.lock);
    EXPECT_TRUE(real);
    auto made = IptablesDataPlane::create(std::move(config), std::move(real->chosen), false);
    EXPECT_TRUE(made);
    return std::move(*made);
  }
  static base::Result<> give(DataPlane& plane, const std::vector<policy::Delta>& deltas) {
    for (const auto& delta : deltas) plane.on_delta(delta);
    plane.on_delta(policy::InSync{});
    return plane.apply().outcome;
  }

  std::string iptables(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), program(""));
    return output(std::move(arguments));
  }
  std::string program(const char* verb) const {
    return std::string("iptables") + (GetParam() == Backend::nft ? "-nft" : "-legacy") + verb;
  }
  std::string state() const { return output({program("-save")}); }
  // The rules of a chain, in their order.
  std::vector<std::string> rules(const std::string& table, const std::string& chain) const {
    std::vector<std::string> rules;
    std::istringstream lines(iptables({"-t", table, "-S", chain}));
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("-A")) rules.push_back(line);
    return rules;
  }
  static policy::Delta host_endpoint() {
    policy::ProgramHostEndpoint endpoint;
    endpoint.endpoint = {.key = {"node", "uplink"}, .interface_name = "eth0"};
    endpoint.interfaces = {"eth0"};
    return policy::HostEndpointUpdate{endpoint};
  }
  static policy::Delta pool() {
    return policy::PoolUpdate{{.name = "pool",
                               .cidr = *policy::Prefix::parse("10.65.0.0/16"),
                               .nat_outgoing = true,
                               .vxlan = policy::Encapsulation::always}};
  }
};

INSTANTIATE_TEST_SUITE_P(Backends, IptablesSettingsTest,
                         testing::Values(Backend::nft, Backend::legacy), [](const auto& backend) {
                           return backend.param == Backend::nft ? "nft" : "legacy";
                         });

TEST_P(IptablesSettingsTest, OurJumpsStandLastWhereTheyAreAppended) {
  iptables({"-A", "FORWARD", "-i", "docker0", "-j", "ACCEPT"});
  const auto plane = make({.insert_mode = InsertMode::append});
  ASSERT_TRUE(plane->apply().outcome) << "the closed start";
  const auto appended = ElementsAre(HasSubstr("docker0"), HasSubstr("-j cali-FORWARD"));
  EXPECT_THAT(rules("filter", "FORWARD"), appended);
  ASSERT_TRUE(give(*plane, {}));
  EXPECT_THAT(rules("filter", "FORWARD"), appended);
  iptables({"-A", "FORWARD", "-i", "br0", "-j", "ACCEPT"});
  plane->resync(StateKind::rules);
  ASSERT_TRUE(plane->apply().outcome);
  EXPECT_THAT(rules("filter", "FORWARD"),
              ElementsAre(HasSubstr("docker0"), HasSubstr("br0"), HasSubstr("-j cali-FORWARD")));
}

TEST_P(IptablesSettingsTest, AnotherModeMovesTheJumps) {
  iptables({"-A", "FORWARD", "-i", "docker0", "-j", "ACCEPT"});
  ASSERT_TRUE(give(*make({.insert_mode = InsertMode::append}), {}));
  ASSERT_TRUE(give(*make({}), {}));
  EXPECT_THAT(rules("filter", "FORWARD"),
              ElementsAre(HasSubstr("-j cali-FORWARD"), HasSubstr("docker0")));
  iptables({"-F", "FORWARD"});
  iptables({"-A", "FORWARD", "-i", "docker0", "-j", "ACCEPT"});
  const auto plane = make({.insert_mode = InsertMode::append});
  ASSERT_TRUE(plane->apply().outcome) << "what was left is led to again";
  EXPECT_THAT(rules("filter", "FORWARD"),
              ElementsAre(HasSubstr("docker0"), HasSubstr("-j cali-FORWARD")));
}

TEST_P(IptablesSettingsTest, WhatMangleAllowsPassesOthersRulesThereOrNot) {
  const auto mangle = [&](AllowAction action) {
    EXPECT_TRUE(give(*make({.mangle_allow = action}), {host_endpoint()}));
    auto rules = this->rules("mangle", "cali-PREROUTING");
    std::erase_if(rules, [](const auto& rule) { return rule.contains("-i cali"); });
    return rules;
  };
  EXPECT_THAT(
      mangle(AllowAction::accept),
      ElementsAre(AllOf(HasSubstr("ESTABLISHED"), HasSubstr("-j ACCEPT")), HasSubstr("-j ACCEPT"),
                  HasSubstr("-j cali-from-host-endpoint"), HasSubstr("-j ACCEPT")));
  for (const auto& rule : mangle(AllowAction::pass_on))
    EXPECT_THAT(rule, Not(HasSubstr("ACCEPT"))) << rule;
}

TEST_P(IptablesSettingsTest, WhatAnotherProgramWroteOverIsRepairedSoonAfterTheWrite) {
  const auto plane = make({.post_write_check = 50ms});
  ASSERT_TRUE(give(*plane, {}));
  iptables({"-F", "FORWARD"});
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (rules("filter", "FORWARD").empty()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    const auto report = plane->apply();
    ASSERT_TRUE(report.outcome);
    ASSERT_TRUE(report.again_in) << "it asks to be called";
    std::this_thread::sleep_for(std::min(*report.again_in, 100ms));
  }
}

TEST_P(IptablesSettingsTest, SourcesAreRewrittenWithoutRandomPortsWhereTheKernelHasNone) {
  ASSERT_TRUE(give(*make({}), {pool()}));
  EXPECT_THAT(state(), HasSubstr("-j MASQUERADE --random-fully"));
  const auto address = *policy::IPAddress::parse("192.0.2.9");
  ASSERT_TRUE(give(*make({.nat_outgoing_address = address, .fully_random_snat = false}), {pool()}));
  EXPECT_THAT(rules("nat", "cali-nat-outgoing").at(0), Not(HasSubstr("random")));
  EXPECT_THAT(state(), HasSubstr("-j MASQUERADE --random-fully")) << "into the tunnel";
  ASSERT_TRUE(give(*make({.fully_random_masquerade = false}), {pool()}));
  EXPECT_THAT(state(), Not(HasSubstr("random")));
}

TEST_P(IptablesSettingsTest, ExternalNodesMaySendTunnelPackets) {
  ASSERT_TRUE(
      give(*make({.external_nodes = {*policy::Prefix::parse("198.51.100.0/24")}}),
           {pool(), policy::TunnelUpdate{{.node = "other",
                                          .node_address = *policy::IPAddress::parse("192.0.2.2"),
                                          .tunnel_address = *policy::IPAddress::parse("10.65.0.1"),
                                          .tunnel_mac = "02:00:00:00:00:01"}}}));
  const std::string set = output({"ipset", "save", "cali40all-vxlan-net"});
  EXPECT_THAT(set, HasSubstr("198.51.100.0/24"));
  EXPECT_THAT(set, HasSubstr("192.0.2.2"));
}

TEST_P(IptablesSettingsTest, ASetIsAsLargeAsTheOperatorAllows) {
  const auto clients = [](size_t count) {
    policy::SetMembers members;
    for (uint32_t i = 0; i < count; ++i)
      members.insert({.net = policy::Prefix(policy::IPAddress::v4(0x0a000001 + i))});
    return policy::SetUpdate{"s:clients", policy::SetType::nets, std::move(members)};
  };
  const auto plane = make({.max_set_size = 8});
  ASSERT_TRUE(give(*plane, {clients(8)}));
  EXPECT_THAT(output({"ipset", "save", "cali40s:clients"}), HasSubstr("maxelem 8"));
  EXPECT_FALSE(give(*plane, {clients(9)}));
  EXPECT_THAT(output({"ipset", "save", "cali40s:clients"}), Not(HasSubstr("10.0.0.9")));
}

// ---- the lock that legacy programs share ----

class XtablesLockTest : public IptablesSettingsTest {
 protected:
  XtablesLockTest() {
    lock_.file = testing::TempDir() + "margay-xtables-" + std::to_string(getpid());
  }
  ~XtablesLockTest() override { unlink(lock_.file.c_str()); }
  base::UniqueFd hold() const {
    base::UniqueFd file(open(lock_.file.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(flock(file.get(), LOCK_EX), 0);
    return file;
  }

  IptablesLock lock_{.timeout = 1s, .probe_interval = 10ms};
};

INSTANTIATE_TEST_SUITE_P(Backends, XtablesLockTest, testing::Values(Backend::legacy),
                         [](const auto&) { return "legacy"; });

TEST_P(XtablesLockTest, KeepsUsFromWritingWhileAnotherHasIt) {
  for (const bool by_program : {true, false}) {
    lock_.is_taken_by_program = by_program;
    iptables({"-F", "FORWARD"});  // so that there is something to write
    const auto plane = make({.lock = lock_});
    auto held = hold();
    const auto started = std::chrono::steady_clock::now();
    EXPECT_FALSE(give(*plane, {})) << by_program;
    EXPECT_GE(std::chrono::steady_clock::now() - started, 1s) << "waited as long as it may";
    held.reset();
    const auto written = give(*plane, {});
    EXPECT_TRUE(written) << written.error().message;
  }
}

TEST_P(XtablesLockTest, IsNotTakenByTheAgentWithoutATimeout) {
  lock_ = {.timeout = 0s, .file = lock_.file, .is_taken_by_program = false};
  const auto held = hold();
  EXPECT_TRUE(give(*make({.lock = lock_}), {}));
}

}  // namespace
}  // namespace margay::dataplane::iptables
