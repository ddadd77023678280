// The whole data plane against the kernel of a namespace of its own; what it has programmed is read
// with the nft program.

#include "dataplane/nftables/nftables_dataplane.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "dataplane/testing/kernel_fixture.h"

namespace margay::dataplane::nftables {
namespace {

using policy::Action;
using policy::Direction;
using policy::PolicyKey;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

PolicyKey policy_named(const std::string& name) { return {"default", "", name}; }
policy::Prefix net(const char* text) { return *policy::Prefix::parse(text); }
policy::IPAddress ip(const char* text) { return *policy::IPAddress::parse(text); }

policy::Delta policy_of(const std::string& name, policy::ProgramRules rules) {
  return policy::PolicyUpdate{policy_named(name),
                              std::make_shared<const policy::ProgramRules>(std::move(rules))};
}

policy::Delta policy_allowing(const std::string& name, uint16_t port) {
  return policy_of(name, {.ingress = {{.protocol = policy::k_tcp,
                                       .source = {.sets = {"s:clients"}},
                                       .destination = {.ports = {{port, port}}}}}});
}

policy::Delta clients(policy::SetMembers members) {
  return policy::SetUpdate{"s:clients", policy::SetType::nets, std::move(members)};
}

policy::Delta workload_with(const std::string& interface, std::vector<PolicyKey> policies) {
  policy::ProgramWorkload workload;
  workload.endpoint = {.key = {"node", "k8s", "default/" + interface, "eth0"},
                       .interface_name = interface,
                       .addresses = {ip("10.65.0.2")},
                       .profiles = {"kns.default"}};
  workload.tiers = {{"default", std::move(policies), {}}};
  return policy::WorkloadUpdate{workload};
}

std::vector<policy::Delta> program() {
  return {clients({{.net = net("10.65.0.0/24")}}),
          policy_allowing("web", 80),
          policy_allowing("db", 5432),
          policy::ProfileUpdate{"kns.default",
                                std::make_shared<const policy::ProgramRules>(
                                    policy::ProgramRules{.ingress = {{}}, .egress = {{}}})},
          workload_with("cali1", {policy_named("web"), policy_named("db")}),
          policy::PoolUpdate{{.name = "pool", .cidr = net("10.65.0.0/16"), .nat_outgoing = true}}};
}

// One rule that the kernel cannot take: it looks into a set that nobody has made.
policy::Delta broken_policy() {
  return policy_of("broken",
                   {.ingress = {{.protocol = policy::k_tcp},
                                {.protocol = policy::k_udp, .source = {.sets = {"s:missing"}}}}});
}

class NftablesDataPlaneTest : public KernelTest {
 protected:
  static std::unique_ptr<NftablesDataPlane> make(Config config = {}) {
    config.node = "node";
    auto made = NftablesDataPlane::create(std::move(config), false);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  static void give(DataPlane& plane, const std::vector<policy::Delta>& deltas,
                   bool in_sync = true) {
    for (const auto& delta : deltas) plane.on_delta(delta);
    if (in_sync) plane.on_delta(policy::InSync{});
    const auto applied = plane.apply().outcome;
    ASSERT_TRUE(applied) << applied.error().message;
  }
  static void read_everything_again(DataPlane& plane) {
    for (const StateKind kind : k_state_kinds) plane.resync(kind);
    const auto applied = plane.apply().outcome;
    ASSERT_TRUE(applied) << applied.error().message;
  }

  static std::string nft(const std::string& command) { return output({"nft", command}); }
  static std::string state() { return nft("list ruleset"); }
  static std::string chain(const std::string& name) {
    return nft("list chain ip calico filter-" + name);
  }
  static std::string web_chain() { return policy_chain(Direction::ingress, policy_named("web")); }
  static size_t drops(const std::string& text) {
    size_t count = 0;
    for (size_t at = 0; (at = text.find("drop comment", at)) != std::string::npos; ++at) ++count;
    return count;
  }
  static std::string set(const char* name) {
    return nft(fmt::format("list set ip calico {}", name));
  }
};

TEST_F(NftablesDataPlaneTest, ProgramsThePolicyOfAnEndpoint) {
  const auto plane = make();
  give(*plane, program());
  EXPECT_THAT(chain(web_chain()), HasSubstr("ip saddr @cali40s-clients"));
  EXPECT_THAT(chain(web_chain()), HasSubstr("dport 80 meta mark set meta mark | 0x00010000"));
  EXPECT_THAT(chain("cali-tw-cali1"), HasSubstr("jump filter-" + web_chain()));
  EXPECT_THAT(set("cali40s-clients"), HasSubstr("10.65.0.0/24"));
  EXPECT_THAT(nft("list map ip calico cali-tw-dispatch"),
              HasSubstr("\"cali1\" : goto filter-cali-tw-cali1"));
  EXPECT_THAT(state(), HasSubstr("ip daddr != @cali40all-ipam-pools masquerade fully-random"));
}

TEST_F(NftablesDataPlaneTest, FollowsTheSettingsThatAreNotOfIptablesAlone) {
  policy::ProgramHostEndpoint host;
  host.endpoint = {.key = {"node", "uplink"}, .interface_name = "eth0"};
  host.interfaces = {"eth0"};
  auto deltas = program();
  deltas.emplace_back(policy::HostEndpointUpdate{host});
  give(*make({.mangle_allow = AllowAction::pass_on,
              .fully_random_masquerade = false,
              .external_nodes = {net("198.51.100.0/24")}}),
       deltas);
  const auto mangle = [] { return nft("list chain ip calico mangle-cali-PREROUTING"); };
  EXPECT_THAT(mangle(), Not(HasSubstr("accept")));
  EXPECT_THAT(state(), HasSubstr("masquerade"));
  EXPECT_THAT(state(), Not(HasSubstr("fully-random")));
  EXPECT_THAT(set("cali40all-vxlan-net"), HasSubstr("198.51.100.0/24"));
  give(*make(), deltas);
  EXPECT_THAT(mangle(), HasSubstr("related accept"));
}

TEST_F(NftablesDataPlaneTest, StartsClosedWhereNothingWasBefore) {
  give(*make(), {}, false);
  EXPECT_THAT(chain("cali-from-wl-dispatch"), HasSubstr("drop comment"));
  EXPECT_THAT(chain("FORWARD"), HasSubstr("jump filter-cali-FORWARD"));
  EXPECT_THAT(nft("list map ip calico cali-fw-dispatch"), Not(HasSubstr("cali1")));
}

TEST_F(NftablesDataPlaneTest, RemovesNothingBeforeTheFirstCompleteState) {
  give(*make(), program());
  const std::string before = state();
  const auto restarted = make();
  give(*restarted, {}, false);
  EXPECT_EQ(restarted->written().transactions, 0U);
  EXPECT_EQ(state(), before);
}

TEST_F(NftablesDataPlaneTest, StartsClosedWhereNoPacketReachesWhatARunBeforeLeft) {
  for (const char* hook : {"filter-FORWARD", "filter-INPUT", "raw-PREROUTING"}) {
    give(*make(), program());
    nft(fmt::format("flush chain ip calico {0}; delete chain ip calico {0}", hook));
    give(*make(), {}, false);
    EXPECT_THAT(nft(fmt::format("list chain ip calico {}", hook)), HasSubstr("jump ")) << hook;
    EXPECT_THAT(state(), HasSubstr("filter-cali-tw-cali1")) << "what enforced before still does";
  }
}

TEST_F(NftablesDataPlaneTest, StartsClosedAfterAllWasFlushed) {
  give(*make(), program());
  nft("flush ruleset");
  give(*make(), {}, false);
  EXPECT_THAT(chain("FORWARD"), HasSubstr("jump filter-cali-FORWARD"));
  EXPECT_THAT(state(), Not(HasSubstr("cali-tw-cali1")));
}

TEST_F(NftablesDataPlaneTest, StartsOverItsOwnStateWithoutAWrite) {
  give(*make(), program());
  const auto again = make();
  give(*again, program());
  EXPECT_EQ(again->written().transactions, 0U);
}

TEST_F(NftablesDataPlaneTest, WritesNothingWhenItReadsEverythingAgain) {
  const auto plane = make();
  give(*plane, program());
  const size_t before = plane->written().transactions;
  EXPECT_EQ(before, 2U) << "one for each family";
  read_everything_again(*plane);
  EXPECT_EQ(plane->written().transactions, before);
}

TEST_F(NftablesDataPlaneTest, SweepsAfterTheFirstCompleteStateWhatIsNoLongerWanted) {
  give(*make(), program());
  nft("add chain ip calico somebodys; add set ip calico theirs { type ipv4_addr; }");
  give(*make(), {});
  for (const char* gone : {"cali-tw-cali1", "cali40s-clients", "somebodys", "theirs"})
    EXPECT_THAT(state(), Not(HasSubstr(gone)));
  EXPECT_THAT(state(), HasSubstr("filter-cali-FORWARD"));
}

TEST_F(NftablesDataPlaneTest, AChangeIsOneTransactionWhoseSizeIsNotThatOfTheTable) {
  std::vector<size_t> bytes;
  for (const int policies : {10, 1000}) {
    const auto plane = make({.ipv6 = false});
    auto deltas = program();
    for (int i = 0; i < policies; ++i)
      deltas.push_back(policy_allowing(fmt::format("p{}", i), uint16_t(1000 + i)));
    give(*plane, deltas);
    const auto before = plane->written();
    give(*plane, {policy_allowing("web", 8080)});
    give(*plane, {policy::SetDelta{"s:clients", {{.net = net("192.0.2.1/32")}}, {}}});
    EXPECT_EQ(plane->written().transactions - before.transactions, 2U);
    bytes.push_back(plane->written().bytes - before.bytes);
    EXPECT_THAT(chain(web_chain()), HasSubstr("dport 8080"));
    EXPECT_THAT(set("cali40s-clients"), HasSubstr("192.0.2.1"));
  }
  EXPECT_EQ(bytes[0], bytes[1]);
  EXPECT_LT(bytes[0], 2000U);
}

TEST_F(NftablesDataPlaneTest, TakesNetsWithinOneAnotherAndGivesThemBack) {
  const auto plane = make();
  give(*plane, program());
  const auto change = [&](std::vector<policy::SetMember> added,
                          std::vector<policy::SetMember> removed) {
    give(*plane, {policy::SetDelta{"s:clients", std::move(added), std::move(removed)}});
    EXPECT_NO_FATAL_FAILURE(read_everything_again(*plane));
    return set("cali40s-clients");
  };
  EXPECT_THAT(change({{.net = net("10.65.0.7/32")}, {.net = net("10.65.1.0/24")}}, {}),
              testing::AllOf(HasSubstr("10.65.0.0/24"), HasSubstr("10.65.1.0/24"),
                             Not(HasSubstr("10.65.0.7"))));
  EXPECT_THAT(change({{.net = net("10.0.0.0/8")}, {.net = net("255.255.255.0/24")}}, {}),
              testing::AllOf(HasSubstr("10.0.0.0/8"), HasSubstr("255.255.255.0/24"),
                             Not(HasSubstr("10.65."))));
  EXPECT_THAT(change({}, {{.net = net("10.0.0.0/8")}, {.net = net("10.65.0.0/24")}}),
              testing::AllOf(HasSubstr("10.65.0.7"), HasSubstr("10.65.1.0/24"),
                             Not(HasSubstr("10.0.0.0/8"))));
}

struct Damage {
  const char* name;
  const char* command;
};
class NftablesDamageTest : public NftablesDataPlaneTest,
                           public testing::WithParamInterface<Damage> {};

TEST_P(NftablesDamageTest, IsRepairedAfterAResync) {
  const auto plane = make();
  give(*plane, program());
  const std::string good = state();
  nft(GetParam().command);
  ASSERT_NE(state(), good);
  read_everything_again(*plane);
  // The order in which chains stand says nothing.
  const auto sorted = [](const std::string& text) {
    std::vector<std::string> lines;
    size_t at = 0;
    for (size_t end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
      lines.push_back(text.substr(at, end - at));
    std::ranges::sort(lines);
    return lines;
  };
  EXPECT_EQ(sorted(state()), sorted(good));
}

INSTANTIATE_TEST_SUITE_P(
    Foreign, NftablesDamageTest,
    testing::Values(
        Damage{"FlushRuleset", "flush ruleset"}, Damage{"DeleteTable", "delete table ip calico"},
        Damage{"FlushTable", "flush table ip calico"},
        Damage{"FlushChain", "flush chain ip calico filter-cali-tw-cali1"},
        Damage{"DeleteHook",
               "flush chain ip calico filter-FORWARD; delete chain ip calico filter-FORWARD"},
        Damage{"HookElsewhere",
               "flush chain ip calico filter-FORWARD; delete chain ip calico filter-FORWARD; "
               "add chain ip calico filter-FORWARD { type filter hook forward priority 10; }"},
        Damage{"PolicyOfHook", "chain ip calico filter-FORWARD { policy drop; }"},
        Damage{"FlushSet", "flush set ip calico cali40s-clients"},
        Damage{"AddElement", "add element ip calico cali40s-clients { 192.0.2.7 }"},
        Damage{"AddRange", "add element ip calico cali40s-clients { 192.0.2.7-192.0.2.9 }"},
        Damage{"FlushMap", "flush map ip calico cali-tw-dispatch"},
        Damage{"DeleteSet",
               "flush chain ip calico filter-cali-FORWARD; flush table ip calico; "
               "delete set ip calico cali40s-clients"},
        Damage{"InsertRule", "insert rule ip calico filter-cali-tw-cali1 accept"},
        Damage{"AddRule", "add rule ip calico filter-cali-FORWARD accept"},
        Damage{"AddChain", "add chain ip calico more { type filter hook input priority 0; }"},
        Damage{"Dormant", "add table ip calico { flags dormant; }"}),
    [](const auto& given) { return given.param.name; });

TEST_F(NftablesDataPlaneTest, AChangeAfterAForeignFlushBringsEverythingBack) {
  const auto plane = make();
  give(*plane, program());
  nft("flush ruleset");
  give(*plane, {policy_allowing("web", 8080)});
  EXPECT_THAT(chain(web_chain()), HasSubstr("dport 8080"));
  EXPECT_THAT(chain("FORWARD"), HasSubstr("jump filter-cali-FORWARD"));
  EXPECT_THAT(set("cali40s-clients"), HasSubstr("10.65.0.0/24"));
}

TEST_F(NftablesDataPlaneTest, ClosesTheEndpointOfARuleThatTheKernelRefusesAndGoesOn) {
  const auto plane = make();
  give(*plane, program());
  for (const auto& delta :
       {broken_policy(), workload_with("cali2", {policy_named("broken")}),
        policy_allowing("fine", 8443), workload_with("cali3", {policy_named("fine")})})
    plane->on_delta(delta);
  const auto report = plane->apply();
  EXPECT_TRUE(report.outcome) << "all that can be programmed is";
  for (const char* name : {"cali-tw-cali2", "cali-fw-cali2"}) {
    EXPECT_EQ(drops(chain(name)), 1U) << chain(name);
    EXPECT_THAT(chain(name), Not(HasSubstr("accept")));
  }
  const std::string fine = policy_chain(Direction::ingress, policy_named("fine"));
  EXPECT_THAT(chain("cali-tw-cali3"), HasSubstr("jump filter-" + fine));
  const auto closed = std::ranges::find_if(report.endpoints, [](const EndpointReport& endpoint) {
    return endpoint.status && endpoint.status->state == EndpointState::error;
  });
  ASSERT_NE(closed, report.endpoints.end());
  EXPECT_THAT(closed->status->reason,
              testing::AllOf(HasSubstr("broken: rule \"meta l4proto 17 ip saddr @cali40s-missing"),
                             HasSubstr("No such file")));
}

TEST_F(NftablesDataPlaneTest, OpensAClosedEndpointWhenItsPolicyIsMended) {
  const auto plane = make();
  give(*plane, program());
  give(*plane, {broken_policy(), workload_with("cali2", {policy_named("broken")})});
  ASSERT_THAT(chain("cali-tw-cali2"), Not(HasSubstr("jump")));
  give(*plane, {policy_allowing("broken", 80)});
  EXPECT_THAT(chain("cali-tw-cali2"), HasSubstr("jump"));
}

TEST_F(NftablesDataPlaneTest, OpensAClosedEndpointAfterAResyncWhenTheKernelHasWhatItLacked) {
  const auto plane = make();
  give(*plane, program());
  give(*plane, {broken_policy(), workload_with("cali2", {policy_named("broken")})});
  read_everything_again(*plane);
  EXPECT_THAT(chain("cali-tw-cali2"), Not(HasSubstr("jump")));
  give(*plane, {policy::SetUpdate{"s:missing", policy::SetType::nets, {}}});
  read_everything_again(*plane);
  EXPECT_THAT(chain("cali-tw-cali2"), HasSubstr("jump"));
}

TEST_F(NftablesDataPlaneTest, LeavesOthersTablesInPlaceAndCleansUpItsOwn) {
  nft("add table ip mine; add chain ip mine c; add rule ip mine c accept");
  const auto plane = make();
  give(*plane, program());
  const auto cleaned = plane->clean_up();
  ASSERT_TRUE(cleaned) << cleaned.error().message;
  EXPECT_THAT(state(), HasSubstr("table ip mine"));
  EXPECT_THAT(state(), Not(HasSubstr("calico")));
}

// What a user may write into settings and names reaches the kernel as it is, and as nothing else.
TEST_F(NftablesDataPlaneTest, TakesTextForText) {
  const auto plane = make({.log_prefix = "a $b; drop"});
  give(*plane, program());
  auto profile = std::get<policy::WorkloadUpdate>(workload_with("cali4", {policy_named("web")}));
  profile.workload.endpoint.profiles = {"x\n\" drop"};
  give(*plane, {profile,
                policy::ProfileUpdate{"x\n\" drop", std::make_shared<const policy::ProgramRules>()},
                workload_with("cali*", {policy_named("web")}),
                policy_of("web", {.ingress = {{.action = Action::log}}})});
  EXPECT_THAT(chain(web_chain()), HasSubstr("log prefix \"a $b; drop: \""));
  EXPECT_THAT(chain("cali-tw-cali4"), HasSubstr("Profile x drop\""));
  EXPECT_THAT(nft("list map ip calico cali-tw-dispatch"), Not(HasSubstr("cali*")));
}

// Every kind of match, as nft prints it: what it prints it can read.
TEST_F(NftablesDataPlaneTest, IsReadAndWrittenByNft) {
  const auto plane = make({.nat_ports = policy::PortRange{1000, 2000}});
  give(*plane, program());
  const policy::ProgramEntity named{.port_sets = {"n:http"}};
  give(*plane,
       {policy::SetUpdate{
            "n:http", policy::SetType::named_ports, {{net("10.65.0.2/32"), policy::k_tcp, 8080}}},
        policy_of(
            "web",
            {.ingress = {{.not_protocol = policy::k_udp},
                         {.source = {.nets = {net("10.0.0.0/8")}, .not_sets = {"s:clients"}}},
                         {.source = {.not_nets = {net("192.0.2.0/24"), net("198.51.100.0/24")}}},
                         {.action = Action::deny,
                          .protocol = policy::k_icmp,
                          .icmp = policy::ICMPMatch{3, 4}},
                         {.protocol = policy::k_icmp, .not_icmp = policy::ICMPMatch{8, {}}},
                         {.protocol = policy::k_tcp, .destination = named},
                         {.action = Action::pass,
                          .protocol = policy::k_tcp,
                          .source = {.ports = {{1, 2}, {5, 5}}},
                          .destination = {.not_ports = {{80, 90}, {443, 443}}}},
                         {.action = Action::log}}})});
  const std::string rules = chain(web_chain());
  for (const char* text :
       {"meta l4proto != udp", "ip saddr 10.0.0.0/8", "ip saddr != @cali40s-clients",
        "ip saddr != @cali40c-", "icmp type destination-unreachable icmp code frag-needed drop",
        "icmp type != echo-request", "@cali40n-http", "tcp sport 1-2", "dport != 80-90"})
    EXPECT_THAT(rules, HasSubstr(text));
  EXPECT_THAT(set("cali40n-http"), HasSubstr("10.65.0.2 . tcp . 8080"));
  const std::string before = state();
  base::run_checked({.argv = {"nft", "-f", "-"}, .input = "flush ruleset\n" + before});
  EXPECT_EQ(state(), before);
  const size_t transactions = plane->written().transactions;
  read_everything_again(*plane);
  EXPECT_EQ(plane->written().transactions, transactions) << "which is what was programmed";
}

TEST_F(NftablesDataPlaneTest, MapsFloatingIPs) {
  const auto plane = make({.floating_ips_of_pods = true});
  auto workload = std::get<policy::WorkloadUpdate>(workload_with("cali1", {}));
  workload.workload.endpoint.floating_ips = {{ip("10.65.0.2"), ip("192.0.2.1")}};
  give(*plane, program());
  give(*plane, {workload});
  EXPECT_THAT(state(), HasSubstr("ip daddr 192.0.2.1 dnat to 10.65.0.2"));
  EXPECT_THAT(state(), HasSubstr("snat to 192.0.2.1"));
}

TEST_F(NftablesDataPlaneTest, SourceNatHasTheAddressAndThePortsOfTheSettings) {
  const auto plane =
      make({.nat_ports = policy::PortRange{1000, 2000}, .nat_outgoing_address = ip("192.0.2.9")});
  give(*plane, program());
  EXPECT_THAT(state(), HasSubstr("snat to 192.0.2.9:1000-2000 fully-random"));
  EXPECT_THAT(state(), HasSubstr("masquerade to :1000-2000 fully-random"));
}

TEST_F(NftablesDataPlaneTest, RejectsWhereAsked) {
  const auto plane = make({.reject = true});
  give(*plane, program());
  EXPECT_THAT(chain("cali-tw-cali1"), HasSubstr("reject"));
}

TEST_F(NftablesDataPlaneTest, WithoutIpv6SupportThatFamilyStaysClosed) {
  const auto plane = make({.ipv6 = false});
  give(*plane, program());
  EXPECT_THAT(nft("list chain ip6 calico filter-cali-FORWARD"),
              HasSubstr("jump filter-cali-from-wl-dispatch"));
  EXPECT_THAT(nft("list map ip6 calico cali-tw-dispatch"), Not(HasSubstr("cali1")));
}

}  // namespace
}  // namespace margay::dataplane::nftables
