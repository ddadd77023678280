// The whole data plane against the kernel of a namespace of its own, with both backends.

#include "dataplane/iptables/iptables_dataplane.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "dataplane/iptables/linux_names.h"
#include "dataplane/iptables/recording_commands.h"
#include "dataplane/testing/kernel_fixture.h"
#include "net/sysctl.h"
#include "net/testing/scratch_namespace.h"

namespace margay::dataplane::iptables {
namespace {

using policy::Action;
using policy::Direction;
using policy::PolicyKey;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

PolicyKey policy_named(const std::string& name) { return {"default", "", name}; }

policy::Delta policy_allowing(const std::string& name, uint16_t port) {
  policy::ProgramRules rules;
  rules.ingress.push_back({.action = Action::allow,
                           .protocol = policy::k_tcp,
                           .source = {.sets = {"s:clients"}},
                           .destination = {.ports = {{port, port}}}});
  return policy::PolicyUpdate{policy_named(name),
                              std::make_shared<const policy::ProgramRules>(std::move(rules))};
}

std::vector<policy::Delta> program() {
  std::vector<policy::Delta> deltas;
  deltas.emplace_back(policy::SetUpdate{
      "s:clients", policy::SetType::nets, {{.net = *policy::Prefix::parse("10.65.0.0/24")}}});
  deltas.push_back(policy_allowing("web", 80));
  deltas.push_back(policy_allowing("db", 5432));
  deltas.emplace_back(policy::ProfileUpdate{
      "kns.default", std::make_shared<const policy::ProgramRules>(
                         policy::ProgramRules{.ingress = {{}}, .egress = {{}}})});
  policy::ProgramWorkload workload;
  workload.endpoint = {.key = {"node", "k8s", "default/pod", "eth0"},
                       .interface_name = "cali1",
                       .addresses = {*policy::IPAddress::parse("10.65.0.2")},
                       .profiles = {"kns.default"}};
  workload.tiers = {{"default", {policy_named("web"), policy_named("db")}, {}}};
  deltas.emplace_back(policy::WorkloadUpdate{workload});
  deltas.emplace_back(policy::PoolUpdate{
      {.name = "pool", .cidr = *policy::Prefix::parse("10.65.0.0/16"), .nat_outgoing = true}});
  return deltas;
}

class IptablesDataPlaneTest : public KernelTest, public testing::WithParamInterface<Backend> {
 protected:
  std::unique_ptr<DataPlane> make(Config config = {}, bool routes = false) {
    auto real = system_commands(GetParam(), {});
    EXPECT_TRUE(real);
    config.node = "node";
    auto made = IptablesDataPlane::create(
        std::move(config), std::make_unique<RecordingCommands>(std::move(real->chosen), written_),
        routes);
    EXPECT_TRUE(made);
    return std::move(*made);
  }

  void give(DataPlane& plane, const std::vector<policy::Delta>& deltas, bool in_sync = true) {
    for (const auto& delta : deltas) plane.on_delta(delta);
    if (in_sync) plane.on_delta(policy::InSync{});
    const auto applied = plane.apply().outcome;
    ASSERT_TRUE(applied) << applied.error().message;
  }

  static void read_everything_again(DataPlane& plane) {
    for (const StateKind kind : k_state_kinds) plane.resync(kind);
    ASSERT_TRUE(plane.apply().outcome);
  }

  std::string program_of(const char* family, const char* verb) const {
    return std::string(family) + (GetParam() == Backend::nft ? "-nft" : "-legacy") + verb;
  }
  // Both families' rules and all sets.
  std::string state() const {
    return output({program_of("iptables", "-save")}) + output({program_of("ip6tables", "-save")}) +
           output({"ipset", "list", "-n"});
  }

  size_t rules_of(const std::string& chain) const {
    const std::string listed = output({program_of("iptables", ""), "-S", chain});
    return static_cast<size_t>(std::ranges::count(listed, '\n')) - 1;  // the first declares it
  }

  std::vector<std::string> written_;
};

INSTANTIATE_TEST_SUITE_P(Backends, IptablesDataPlaneTest,
                         testing::Values(Backend::nft, Backend::legacy), [](const auto& backend) {
                           return backend.param == Backend::nft ? "nft" : "legacy";
                         });

TEST_P(IptablesDataPlaneTest, ProgramsThePolicyOfAnEndpoint) {
  const auto plane = make();
  give(*plane, program());
  const std::string web = policy_chain(Direction::ingress, policy_named("web"));
  EXPECT_THAT(state(), HasSubstr("-A " + web + " -p tcp"));
  EXPECT_THAT(state(), HasSubstr("-j " + web));
  EXPECT_THAT(state(), HasSubstr("cali40s:clients"));
  EXPECT_THAT(state(), HasSubstr("cali40masq-ipam-pools"));
}

TEST_P(IptablesDataPlaneTest, StartsClosedWhereNothingWasBefore) {
  const auto plane = make();
  give(*plane, {}, false);
  const std::string forward = output({program_of("iptables", ""), "-S", "cali-from-wl-dispatch"});
  EXPECT_THAT(forward, HasSubstr("\"Unknown interface\" -j DROP"));
  EXPECT_THAT(output({program_of("iptables", ""), "-S", "FORWARD"}), HasSubstr("-j cali-FORWARD"));
}

TEST_P(IptablesDataPlaneTest, RemovesNothingBeforeTheFirstCompleteState) {
  give(*make(), program());
  const auto restarted = make();
  written_.clear();
  give(*restarted, {}, false);
  EXPECT_THAT(written_, IsEmpty());
  EXPECT_THAT(state(), HasSubstr("cali-tw-cali1"));
}

TEST_P(IptablesDataPlaneTest, StartsClosedWhereNoPacketReachesWhatARunBeforeLeft) {
  const struct {
    const char *table, *hook, *jump;
  } cases[] = {{"filter", "FORWARD", "-j cali-FORWARD"},
               {"filter", "INPUT", "-j cali-INPUT"},
               {"raw", "PREROUTING", "-j cali-PREROUTING"}};
  for (const auto& [table, hook, jump] : cases) {
    give(*make(), program());
    output({program_of("iptables", ""), "-t", table, "-F", hook});  // as a firewall's reload does
    give(*make(), {}, false);
    EXPECT_THAT(output({program_of("iptables", ""), "-t", table, "-S", hook}), HasSubstr(jump));
    EXPECT_THAT(state(), HasSubstr("cali-tw-cali1")) << "what enforced before still does";
  }
}

TEST_P(IptablesDataPlaneTest, StartsOverItsOwnStateWithoutAWrite) {
  give(*make(), program());
  written_.clear();
  give(*make(), program());
  EXPECT_THAT(written_, IsEmpty());
}

TEST_P(IptablesDataPlaneTest, SweepsAfterTheFirstCompleteStateWhatIsNoLongerWanted) {
  give(*make(), program());
  give(*make(), {});
  EXPECT_THAT(state(), Not(HasSubstr("cali-tw-cali1")));
  EXPECT_THAT(state(), HasSubstr("cali-FORWARD"));
}

TEST_P(IptablesDataPlaneTest, AChangedPolicyTouchesItsOwnChainsAlone) {
  const auto plane = make();
  give(*plane, program());
  written_.clear();
  give(*plane, {policy_allowing("web", 8080)});
  ASSERT_EQ(written_.size(), 2U);  // IPv4 and IPv6
  for (const auto& input : written_) {
    EXPECT_THAT(input, HasSubstr(policy_chain(Direction::ingress, policy_named("web"))));
    EXPECT_THAT(input, HasSubstr("8080"));
    EXPECT_THAT(input, Not(HasSubstr(policy_chain(Direction::egress, policy_named("web")))));
    EXPECT_THAT(input, Not(HasSubstr(policy_chain(Direction::ingress, policy_named("db")))));
    EXPECT_THAT(input, Not(HasSubstr("cali-tw-")));
    EXPECT_THAT(input, Not(HasSubstr("dispatch")));
  }
}

TEST_P(IptablesDataPlaneTest, RepairsWhatOthersBrokeAfterAResync) {
  const auto plane = make();
  give(*plane, program());
  const std::string good = state();
  output({program_of("iptables", ""), "-F", "cali-tw-cali1"});
  output({program_of("iptables", ""), "-D", "FORWARD", "1"});
  output({"ipset", "flush", "cali40s:clients"});
  read_everything_again(*plane);
  EXPECT_THAT(output({program_of("iptables", ""), "-S", "FORWARD"}), HasSubstr("-j cali-FORWARD"));
  EXPECT_THAT(output({program_of("iptables", ""), "-S", "cali-tw-cali1"}),
              HasSubstr("kns.default"));
  EXPECT_THAT(output({"ipset", "save", "cali40s:clients"}), HasSubstr("10.65.0.0/24"));
}

TEST_P(IptablesDataPlaneTest, ReadsBackOnlyTheKindItWasAskedFor) {
  const auto plane = make({.post_write_check = std::chrono::hours(2)});  // never
  give(*plane, program());
  output({program_of("iptables", ""), "-F", "cali-tw-cali1"});
  output({"ipset", "flush", "cali40s:clients"});
  plane->resync(StateKind::sets);
  ASSERT_TRUE(plane->apply().outcome);
  EXPECT_THAT(output({"ipset", "save", "cali40s:clients"}), HasSubstr("10.65.0.0/24"));
  EXPECT_THAT(output({program_of("iptables", ""), "-S", "cali-tw-cali1"}),
              Not(HasSubstr("kns.default")));
  plane->resync(StateKind::rules);
  ASSERT_TRUE(plane->apply().outcome);
  EXPECT_THAT(output({program_of("iptables", ""), "-S", "cali-tw-cali1"}),
              HasSubstr("kns.default"));
}

TEST_P(IptablesDataPlaneTest, ReportsAnEndpointWhenItChanges) {
  const EndpointKey key = policy::WorkloadKey{"node", "k8s", "default/pod", "eth0"};
  const auto plane = make({}, true);
  const auto reported = [&](std::optional<EndpointStatus> status) {
    return std::vector<EndpointReport>{{key, std::move(status)}};
  };
  for (const auto& delta : program()) plane->on_delta(delta);
  EXPECT_THAT(plane->apply().endpoints, IsEmpty()) << "before the first complete state";
  plane->on_delta(policy::InSync{});
  EXPECT_EQ(plane->apply().endpoints,
            reported(EndpointStatus{EndpointState::down,
                                    "waiting for its interface: interface cali1 is not there"}));
  EXPECT_THAT(plane->apply().endpoints, IsEmpty()) << "nothing is new";
  add_interface("cali1");
  plane->on_interface({.name = "cali1", .up = true});
  EXPECT_EQ(plane->apply().endpoints, reported(EndpointStatus{}));
  ASSERT_TRUE(net::delete_link(*socket_, "cali1"));
  plane->on_interface_removed("cali1");
  EXPECT_EQ(plane->apply().endpoints.size(), 1U);
  plane->on_delta(policy::WorkloadRemove{std::get<policy::WorkloadKey>(key)});
  EXPECT_EQ(plane->apply().endpoints, reported(std::nullopt));
}

TEST_P(IptablesDataPlaneTest, LeavesOthersRulesInPlace) {
  output({program_of("iptables", ""), "-A", "FORWARD", "-i", "docker0", "-j", "ACCEPT"});
  output({program_of("iptables", ""), "-N", "MINE"});
  const auto plane = make();
  give(*plane, program());
  ASSERT_TRUE(plane->clean_up());
  EXPECT_THAT(output({program_of("iptables", ""), "-S"}),
              HasSubstr("-A FORWARD -i docker0 -j ACCEPT"));
  EXPECT_THAT(output({program_of("iptables", ""), "-S"}), HasSubstr("-N MINE"));
}

TEST_P(IptablesDataPlaneTest, CleansUpEverything) {
  const auto plane = make();
  give(*plane, program());
  const auto cleaned = plane->clean_up();
  ASSERT_TRUE(cleaned) << cleaned.error().message;
  EXPECT_THAT(state(), Not(HasSubstr("cali")));
}

TEST_P(IptablesDataPlaneTest, ReadsAndWritesEachFamilyAtOnce) {
  const auto plane = make();
  give(*plane, program());
  EXPECT_EQ(written_.size(), 4U) << "sets and tables of IPv4 and IPv6";
}

// What a user may write into settings reaches the kernel as it is, and as nothing else.
TEST_P(IptablesDataPlaneTest, LogsWithAnyPrefixThatFits) {
  const auto plane = make({.log_prefix = R"(a "quoted" \\ one -j DROP)"});
  policy::ProgramRules rules{.ingress = {{.action = Action::log}}};
  give(*plane, program());
  give(*plane, {policy::PolicyUpdate{policy_named("web"),
                                     std::make_shared<const policy::ProgramRules>(rules)}});
  EXPECT_THAT(output({program_of("iptables", ""), "-S",
                      policy_chain(Direction::ingress, policy_named("web"))}),
              HasSubstr(R"(--log-prefix "a \"quoted\" \\\\ one -j DROP: ")"));
}

policy::Delta policy_with_a_set_that_is_not_there(const std::string& name) {
  policy::ProgramRules rules;
  rules.ingress = {{.protocol = policy::k_tcp},
                   {.protocol = policy::k_udp, .source = {.sets = {"s:missing"}}}};
  return policy::PolicyUpdate{policy_named(name),
                              std::make_shared<const policy::ProgramRules>(std::move(rules))};
}

policy::Delta workload_with(const std::string& interface, const std::string& policy) {
  policy::ProgramWorkload workload;
  workload.endpoint = {.key = {"node", "k8s", "default/" + interface, "eth0"},
                       .interface_name = interface,
                       .profiles = {"kns.default"}};
  workload.tiers = {{"default", {policy_named(policy)}, {}}};
  return policy::WorkloadUpdate{workload};
}

TEST_P(IptablesDataPlaneTest, ClosesTheEndpointOfARuleThatTheKernelRefusesAndGoesOn) {
  const auto plane = make();
  give(*plane, program());
  give(*plane, {policy_with_a_set_that_is_not_there("broken"), workload_with("cali2", "broken"),
                policy_allowing("fine", 8443), workload_with("cali3", "fine")});
  for (const char* chain : {"cali-tw-cali2", "cali-fw-cali2"})
    EXPECT_EQ(rules_of(chain), 1U) << "one rule, which drops";
  EXPECT_THAT(output({program_of("iptables", ""), "-S", "cali-tw-cali2"}), HasSubstr("-j DROP"));
  EXPECT_THAT(output({program_of("iptables", ""), "-S", "cali-tw-cali3"}),
              HasSubstr(policy_chain(Direction::ingress, policy_named("fine"))));
  EXPECT_THAT(state(), Not(HasSubstr("cali-trial")));
}

TEST_P(IptablesDataPlaneTest, ReportsAClosedEndpointWithTheRule) {
  const auto plane = make();
  give(*plane, program());
  for (const auto& delta :
       {policy_with_a_set_that_is_not_there("broken"), workload_with("cali2", "broken")})
    plane->on_delta(delta);
  const auto report = plane->apply();
  EXPECT_TRUE(report.outcome) << "all that can be programmed is";
  ASSERT_EQ(report.endpoints.size(), 1U);
  const auto& status = report.endpoints[0].status;
  ASSERT_TRUE(status);
  EXPECT_EQ(status->state, EndpointState::error);
  EXPECT_THAT(status->reason,
              testing::AllOf(HasSubstr("broken: rule"), HasSubstr("cali40s:missing")));
}

TEST_P(IptablesDataPlaneTest, OpensAClosedEndpointWhenItsPolicyIsMended) {
  const auto plane = make();
  give(*plane, program());
  give(*plane, {policy_with_a_set_that_is_not_there("broken"), workload_with("cali2", "broken")});
  ASSERT_EQ(rules_of("cali-tw-cali2"), 1U);
  give(*plane, {policy_allowing("broken", 80)});
  EXPECT_GT(rules_of("cali-tw-cali2"), 1U);
}

TEST_P(IptablesDataPlaneTest, OpensAClosedEndpointAfterAResyncWhenTheKernelHasWhatItLacked) {
  const auto plane = make();
  give(*plane, program());
  give(*plane, {policy_with_a_set_that_is_not_there("broken"), workload_with("cali2", "broken")});
  read_everything_again(*plane);
  EXPECT_EQ(rules_of("cali-tw-cali2"), 1U);
  give(*plane, {policy::SetUpdate{"s:missing", policy::SetType::nets, {}}});
  read_everything_again(*plane);
  EXPECT_GT(rules_of("cali-tw-cali2"), 1U);
}

TEST_P(IptablesDataPlaneTest, MapsFloatingIPsOfThoseWhoMayHaveThemAndNeverANodesAddress) {
  const auto ip = [](const char* text) { return *policy::IPAddress::parse(text); };
  struct Case {
    const char* name;
    bool enabled;
    const char* orchestrator;
    const char* external;
    bool mapped;
  };
  for (const auto& c :
       {Case{"a pod's, disabled", false, "k8s", "192.0.2.1", false},
        Case{"a pod's, enabled", true, "k8s", "192.0.2.1", true},
        Case{"another orchestrator's, disabled", false, "openstack", "192.0.2.1", true},
        Case{"the node's own address", true, "k8s", "172.18.0.11", false},
        Case{"another node's address", true, "openstack", "172.18.0.12", false}}) {
    const auto plane = make({.floating_ips_of_pods = c.enabled});
    policy::ProgramWorkload workload;
    workload.endpoint = {.key = {"node", c.orchestrator, "default/pod", "eth0"},
                         .interface_name = "cali1",
                         .addresses = {ip("10.65.0.2")},
                         .floating_ips = {{ip("10.65.0.2"), ip(c.external)}}};
    give(*plane, {policy::WorkloadUpdate{workload},
                  policy::HostUpdate{{.name = "node", .v4 = ip("172.18.0.11")}},
                  policy::HostUpdate{{.name = "other", .v4 = ip("172.18.0.12")}}});
    const bool mapped = state().find("--to-destination 10.65.0.2") != std::string::npos;
    EXPECT_EQ(mapped, c.mapped) << c.name;
  }
}

TEST_P(IptablesDataPlaneTest, DoesNotLetNamesOfObjectsBecomeRules) {
  const auto plane = make();
  give(*plane, program());
  auto hostile = std::get<policy::WorkloadUpdate>(workload_with("cali+", "web"));
  auto profile = std::get<policy::WorkloadUpdate>(workload_with("cali4", "web"));
  profile.workload.endpoint.profiles = {"x\n-F"};
  give(*plane, {hostile, profile,
                policy::ProfileUpdate{"x\n-F", std::make_shared<const policy::ProgramRules>()}});
  EXPECT_THAT(output({program_of("iptables", ""), "-S", "cali-to-wl-dispatch"}),
              testing::AllOf(HasSubstr("-o cali4 "), Not(HasSubstr("cali+"))));
  EXPECT_GT(rules_of("cali-tw-cali4"), 1U);
}

struct BadConfig {
  const char* name;
  Config config;
  const char* message;
};
class IptablesDataPlaneConfig : public testing::TestWithParam<BadConfig> {};

TEST_P(IptablesDataPlaneConfig, IsRefusedWithTheSettingsName) {
  const auto made = IptablesDataPlane::create(GetParam().config, nullptr, false);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, base::ErrorCode::invalid);
  EXPECT_THAT(made.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Settings, IptablesDataPlaneConfig,
    testing::Values(
        BadConfig{
            "FewMarks", {.mark_mask = 0x1}, "iptablesMarkMask 0x1: must have at least two bits"},
        BadConfig{"LogPrefixOfTwoLines", {.log_prefix = "a\n-A INPUT -j ACCEPT"}, "logPrefix"},
        BadConfig{"LogPrefixTooLong", {.log_prefix = std::string(28, 'x')}, "logPrefix"},
        BadConfig{"NoInterfacePrefix", {.interface_prefixes = {}}, "interfacePrefix"},
        BadConfig{"InterfacePrefixWithARule",
                  {.interface_prefixes = {"cali -j X"}},
                  "interfacePrefix \"cali -j X\""},
        BadConfig{"InterfacePrefixOfAll", {.interface_prefixes = {"+"}}, "interfacePrefix \"+\""},
        BadConfig{"InterfaceFilterWithARule",
                  {.nat_outgoing_interface = "eth0 -j X"},
                  "iptablesNATOutgoingInterfaceFilter"},
        BadConfig{"InterfaceFilterNegated",
                  {.nat_outgoing_interface = "! eth0"},
                  "iptablesNATOutgoingInterfaceFilter"}),
    [](const auto& given) { return given.param.name; });

// Passes on to the installed programs, of which those for IPv6 do not work.
class CommandsWithoutIPv6 final : public Commands {
 public:
  explicit CommandsWithoutIPv6(std::unique_ptr<Commands> real) : real_(std::move(real)) {}
  base::Result<std::string> save(policy::IPFamily family) override {
    if (family == policy::IPFamily::v6) return base::fail(base::ErrorCode::unavailable, "no IPv6");
    return real_->save(family);
  }
  base::Result<> restore(policy::IPFamily family, const std::string& input) override {
    return real_->restore(family, input);
  }
  base::Result<std::string> save_sets() override { return real_->save_sets(); }
  base::Result<> restore_sets(const std::string& input) override {
    return real_->restore_sets(input);
  }

 private:
  std::unique_ptr<Commands> real_;
};

TEST_P(IptablesDataPlaneTest, AFamilyThatFailsKeepsTheOtherFromNothing) {
  auto real = system_commands(GetParam(), {});
  ASSERT_TRUE(real);
  const auto plane = *IptablesDataPlane::create(
      {.node = "node"}, std::make_unique<CommandsWithoutIPv6>(std::move(real->chosen)), true);
  add_interface("cali1");
  for (const auto& delta : program()) plane->on_delta(delta);
  for (const char* destination : {"10.65.0.2", "fd00::2"})
    plane->on_delta(policy::RouteUpdate{{.destination = *policy::Prefix::parse(destination),
                                         .kind = policy::ProgramRoute::Kind::local_workload,
                                         .interface_name = "cali1"}});
  plane->on_delta(policy::InSync{});
  const auto report = plane->apply();
  EXPECT_FALSE(report.outcome);
  ASSERT_EQ(report.endpoints.size(), 1);
  EXPECT_EQ(report.endpoints[0].status->state, EndpointState::error);
  EXPECT_THAT(output({"ip", "-4", "route"}), HasSubstr("10.65.0.2 dev cali1"));
  EXPECT_THAT(output({"ip", "-6", "route"}), Not(HasSubstr("fd00::2")));
}

// By the link-local address that the kernel gives each interface.
TEST_P(IptablesDataPlaneTest, WithoutIpv6SupportAPodReachesItsNodeByNoIpv6) {
  const net::testing::ScratchNamespace pod("mt-v6");
  ASSERT_TRUE(net::write_sysctl("net/ipv6/conf/default/accept_dad", "0"));
  ASSERT_TRUE(net::create_veth(
      *socket_, {.near = {.name = "cali1", .mac = *net::MacAddress::parse("ee:ee:ee:ee:ee:ee")},
                 .far = {.name = "eth0"},
                 .far_namespace = pod.get().fd()}));
  ASSERT_TRUE(net::change_link(*socket_, "cali1", {.up = true}));
  const auto in_pod = [&](std::vector<std::string> argv) {
    return base::run({.argv = std::move(argv), .network_namespace = pod.get().fd()});
  };
  ASSERT_EQ(in_pod({"sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0"})->status, 0);
  ASSERT_EQ(in_pod({"ip", "link", "set", "eth0", "up"})->status, 0);
  // Refused: the packet reached the node, and the answer came back.
  const auto connect = [&] {
    return in_pod({"python3", "-c", R"(
import socket, time
for _ in range(100):
    s = socket.socket(socket.AF_INET6)
    s.settimeout(1)
    try:
        s.connect(("fe80::ecee:eeff:feee:eeee", 10250, 0, socket.if_nametoindex("eth0")))
    except (ConnectionRefusedError, TimeoutError) as error:
        print(type(error).__name__)
        break
    except OSError:
        time.sleep(0.1)  # the address is not ready
)"})
        ->out;
  };
  EXPECT_EQ(connect(), "ConnectionRefusedError\n") << "nothing is in the way yet";
  const auto plane = make({.ipv6 = false});
  ASSERT_TRUE(plane->apply().outcome);  // the closed start
  EXPECT_EQ(connect(), "TimeoutError\n");
  plane->on_delta(policy::InSync{});
  ASSERT_TRUE(plane->apply().outcome);
  EXPECT_EQ(connect(), "TimeoutError\n");
  EXPECT_FALSE(plane->capabilities().ipv6);
}

TEST_P(IptablesDataPlaneTest, AKernelWithoutIpv6IsAskedForNone) {
  const auto plane = make({.ipv6 = true, .kernel_has_ipv6 = false});
  ASSERT_TRUE(plane->apply().outcome);
  plane->on_delta(policy::InSync{});
  ASSERT_TRUE(plane->apply().outcome);
  EXPECT_FALSE(plane->capabilities().ipv6);
  EXPECT_THAT(output({"ip6tables-save"}), Not(HasSubstr("cali-")));
}

// Chosen by the tables in use, the backend may be another one after a restart.
TEST_P(IptablesDataPlaneTest, WhatARunLeftUnderTheOtherBackendIsRemoved) {
  const bool is_nft = GetParam() == Backend::nft;
  const auto saved = [&](bool nft) {
    return output({nft ? "iptables-nft-save" : "iptables-legacy-save"}) +
           output({nft ? "ip6tables-nft-save" : "ip6tables-legacy-save"});
  };
  const auto run = [&](Backend backend) {
    auto plane = IptablesDataPlane::create(Config{.node = "node", .backend = backend}).value();
    ASSERT_TRUE(plane->apply().outcome);
    EXPECT_THAT(saved(backend == Backend::nft), HasSubstr(":cali-FORWARD"));
    plane->on_delta(policy::InSync{});
    ASSERT_TRUE(plane->apply().outcome);
  };
  run(is_nft ? Backend::legacy : Backend::nft);
  run(GetParam());
  EXPECT_THAT(saved(is_nft), HasSubstr(":cali-FORWARD"));
  EXPECT_THAT(saved(!is_nft), Not(HasSubstr("cali")));
}

}  // namespace
}  // namespace margay::dataplane::iptables
