// Chains as values: hashes, names, dispatch, endpoints.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "dataplane/iptables/dispatch_chains.h"
#include "dataplane/iptables/linux_names.h"
#include "dataplane/iptables/rule_text.h"
#include "dataplane/linux/filter_chains.h"

namespace margay::dataplane::iptables {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

std::vector<std::string> lines(const Chain& chain) {
  std::vector<std::string> out;
  for (const auto& rule : chain.rules)
    out.push_back(rule.match.empty() ? rule.target : rule.match + " " + rule.target);
  return out;
}

std::vector<std::string> lines(const PacketChain& chain) {
  return lines(to_text(chain, IPFamily::v4));
}
std::vector<std::string> lines_v6(const PacketChain& chain) {
  return lines(to_text(chain, IPFamily::v6));
}

template <typename AnyChain>
const AnyChain& named(const std::vector<AnyChain>& chains, const std::string& name) {
  static const AnyChain none;
  for (const auto& chain : chains)
    if (chain.name == name) return chain;
  ADD_FAILURE() << "no chain " << name;
  return none;
}

TEST(Hashed, DependsOnTheChainTheRuleAndAllRulesBefore) {
  const Rule a{"-p 6", "-j DROP"}, b{"-p 17", "-j DROP"};
  const auto ab = hashed({"cali-x", {a, b}}), ba = hashed({"cali-x", {b, a}});
  EXPECT_EQ(ab[0].hash.size(), 16U);
  EXPECT_EQ(ab[0].hash, hashed({"cali-x", {a}})[0].hash);
  EXPECT_NE(ab[0].hash, hashed({"cali-y", {a}})[0].hash);
  EXPECT_NE(ab[1].hash, ba[0].hash);
  EXPECT_NE(ab[1].hash, hashed({"cali-x", {b, b}})[1].hash);
}

TEST(Hashed, NoCommentBreaksOutOfItsQuotes) {
  const auto rules =
      hashed({"cali-x", {{"", "-j DROP", "a\" -j ACCEPT\\\n" + std::string(300, 'x')}}});
  EXPECT_THAT(rules[0].text, HasSubstr(R"(--comment "a\" -j ACCEPT\\xxx)"));
  EXPECT_THAT(rules[0].text, testing::Not(HasSubstr("\n")));
  EXPECT_LT(rules[0].text.size(), 300U);
}

TEST(Names, FitTheKernel) {
  const policy::PolicyKey key{"default", std::string(63, 'n'), std::string(253, 'p')};
  EXPECT_LE(policy_chain(Direction::ingress, key).size(), 28U);
  EXPECT_NE(policy_chain(Direction::ingress, key), policy_chain(Direction::egress, key));
  EXPECT_EQ(profile_chain(Direction::ingress, "kns.default"), "cali-pri-kns.default");
  EXPECT_LE(profile_chain(Direction::egress, "kns." + std::string(63, 'n')).size(), 28U);
  EXPECT_EQ(from_workload_chain("cali12345678901"), "cali-fw-cali12345678901");
  for (const char* odd : {"a b", "a\"b", "a\nb", "!", "a;b"})
    EXPECT_THAT(profile_chain(Direction::ingress, odd),
                testing::MatchesRegex("cali-pri-_[-_A-Za-z0-9]+"));
  EXPECT_EQ(set_name(IPFamily::v4, "s:" + std::string(38, 'h')).size(), 31U);
  EXPECT_EQ(set_name(IPFamily::v6, k_all_pools), "cali60all-ipam-pools");
}

std::vector<Chain> dispatched(const std::set<std::string>& interfaces) {
  return dispatch_chains({"cali-from-wl-dispatch", "-i", from_workload_chain}, interfaces,
                         {"cali"});
}

TEST(Dispatch, DropsWhatItDoesNotKnow) {
  EXPECT_THAT(lines(named(dispatched({}), "cali-from-wl-dispatch")), ElementsAre("-j DROP"));
  EXPECT_THAT(lines(named(dispatched({"cali1", "eth0"}), "cali-from-wl-dispatch")),
              ElementsAre("-i cali1 -g cali-fw-cali1", "-j DROP"));
}

TEST(Dispatch, OfManyIsATreeWhoseBranchesChangeAlone) {
  std::set<std::string> names;
  for (const char first : std::string("0123456789abcdef"))
    for (const char second : std::string("37ce"))
      names.insert(std::string("cali") + first + second);
  const auto before = dispatched(names);
  EXPECT_THAT(before, SizeIs(17));
  EXPECT_THAT(lines(named(before, "cali-from-wl-dispatch")), SizeIs(17));
  EXPECT_THAT(lines(named(before, "cali-from-wl-dispatch-a")),
              ElementsAre("-i calia3 -g cali-fw-calia3", "-i calia7 -g cali-fw-calia7",
                          "-i caliac -g cali-fw-caliac", "-i caliae -g cali-fw-caliae", "-j DROP"));
  names.insert("calia0");
  size_t changed = 0;
  for (const auto& chain : dispatched(names))
    if (chain != named(before, chain.name)) ++changed;
  EXPECT_EQ(changed, 1U);
}

TEST(Dispatch, OfNamesThatBeginAlikeIsNoDeeperThanTheKernelFollows) {
  std::set<std::string> names;
  for (int i = 0; i < 40; ++i) names.insert(fmt::format("cali111161d3{:03}", i));
  const auto chains = dispatched(names);
  EXPECT_THAT(chains, SizeIs(4)) << "the root and three levels";
  EXPECT_THAT(lines(named(chains, "cali-from-wl-dispatch-111")), SizeIs(41));
}

TEST(Dispatch, BranchesOfSeveralPrefixesNeverMeet) {
  std::set<std::string> names;
  for (const char* prefix : {"cali", "calia"})
    for (int i = 0; i < 20; ++i) names.insert(fmt::format("{}aa{:02}", prefix, i));
  const auto chains = dispatch_chains({"cali-from-wl-dispatch", "-i", from_workload_chain}, names,
                                      {"cali", "calia"});
  std::set<std::string> distinct;
  for (const auto& chain : chains) {
    distinct.insert(chain.name);
    EXPECT_LE(chain.name.size(), 28U);
    for (const auto& line : lines(chain)) EXPECT_FALSE(line.ends_with(" -g " + chain.name));
  }
  EXPECT_EQ(distinct.size(), chains.size());
}

class Endpoint : public testing::Test {
 protected:
  std::vector<std::string> chain(const std::string& name) const {
    return lines(named(endpoint_chains({config_, IPFamily::v4, {0x1, 0x2}}, workload_), name));
  }
  Config config_;
  policy::ProgramWorkload workload_{.endpoint = {.interface_name = "cali1", .profiles = {"p"}}};
};

TEST_F(Endpoint, AsksTiersInOrderThenProfilesThenDrops) {
  const policy::PolicyKey one{"t", "", "one"}, two{"t", "", "two"};
  workload_.tiers = {{"t", {one, two}, {}}, {"default", {}, {two}}};
  EXPECT_THAT(chain("cali-tw-cali1"),
              ElementsAre("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                          "-m conntrack --ctstate INVALID -j DROP", "-j MARK --set-xmark 0x0/0x3",
                          "-j MARK --set-xmark 0x0/0x2",
                          "-m mark --mark 0x0/0x2 -j " + policy_chain(Direction::ingress, one),
                          "-m mark --mark 0x1/0x1 -j RETURN",
                          "-m mark --mark 0x0/0x2 -j " + policy_chain(Direction::ingress, two),
                          "-m mark --mark 0x1/0x1 -j RETURN", "-m mark --mark 0x0/0x2 -j DROP",
                          "-j cali-pri-p", "-m mark --mark 0x1/0x1 -j RETURN", "-j DROP"));
}

TEST_F(Endpoint, GoesOnBehindATierThatPassesAtItsEnd) {
  const policy::PolicyKey one{"t", "", "one"};
  workload_.tiers = {{"t", {one}, {}, policy::Action::pass}};
  EXPECT_THAT(chain("cali-tw-cali1"),
              ElementsAre("-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                          "-m conntrack --ctstate INVALID -j DROP", "-j MARK --set-xmark 0x0/0x3",
                          "-j MARK --set-xmark 0x0/0x2",
                          "-m mark --mark 0x0/0x2 -j " + policy_chain(Direction::ingress, one),
                          "-m mark --mark 0x1/0x1 -j RETURN", "-j cali-pri-p",
                          "-m mark --mark 0x1/0x1 -j RETURN", "-j DROP"));
}

TEST_F(Endpoint, ThatIsClosedPassesNothing) {
  for (const auto& closed : closed_endpoint_chains(workload_))
    EXPECT_THAT(lines(closed), ElementsAre("-j DROP"));
}

TEST_F(Endpoint, MaySendNoTunnelPackets) {
  EXPECT_THAT(chain("cali-fw-cali1"),
              testing::IsSupersetOf({"-p 17 -m multiport --dports 4789 -j DROP", "-p 4 -j DROP"}));
  config_.allow_ipip_from_workloads = config_.allow_vxlan_from_workloads = true;
  EXPECT_THAT(chain("cali-fw-cali1"), testing::Not(testing::Contains(HasSubstr("4789"))));
  EXPECT_THAT(chain("cali-fw-cali1"), testing::Not(testing::Contains("-p 4 -j DROP")));
}

TEST_F(Endpoint, ThatIsDownPassesNotEvenEstablishedFlows) {
  workload_.endpoint.admin_up = false;
  EXPECT_THAT(chain("cali-tw-cali1"), ElementsAre("-j DROP"));
  EXPECT_THAT(chain("cali-fw-cali1"), ElementsAre("-j DROP"));
}

TEST_F(Endpoint, MayPassInvalidPacketsWhenAsked) {
  config_.drop_invalid = false;
  EXPECT_THAT(chain("cali-tw-cali1"), testing::Not(testing::Contains(HasSubstr("INVALID"))));
}

TEST(WorkloadToHost, HearsNeighbourDiscoveryThenPolicyThenTheDefaultAction) {
  Config config;
  const auto last = [&] {
    return lines_v6(named(filter_chains({config, IPFamily::v6, {1, 2}}, {}), "cali-wl-to-host"));
  };
  EXPECT_THAT(last(),
              ElementsAre("-p 58 -m icmp6 --icmpv6-type 130 -j ACCEPT",
                          "-p 58 -m icmp6 --icmpv6-type 131 -j ACCEPT",
                          "-p 58 -m icmp6 --icmpv6-type 132 -j ACCEPT",
                          "-p 58 -m icmp6 --icmpv6-type 133 -j ACCEPT",
                          "-p 58 -m icmp6 --icmpv6-type 135 -j ACCEPT",
                          "-p 58 -m icmp6 --icmpv6-type 136 -j ACCEPT",
                          "-j MARK --set-xmark 0x0/0x3", "-j cali-from-wl-dispatch", "-j DROP"));
  config.endpoint_to_host = EndpointToHostAction::accept;
  EXPECT_EQ(last().back(), "-j ACCEPT");
  config.endpoint_to_host = EndpointToHostAction::pass_on;
  EXPECT_EQ(last().back(), "-j RETURN");
}

TEST(Nat, MasqueradesWhatLeavesThePools) {
  Config config;
  config.nat_ports = policy::PortRange{1000, 2000};
  EXPECT_THAT(
      lines(named(nat_chains({config, IPFamily::v4, {1, 2}}, {}, {}), "cali-nat-outgoing")),
      ElementsAre("-p 6 -m set --match-set cali40masq-ipam-pools src -m set ! --match-set "
                  "cali40all-ipam-pools dst -j MASQUERADE --to-ports 1000-2000 --random-fully",
                  "-p 17 -m set --match-set cali40masq-ipam-pools src -m set ! --match-set "
                  "cali40all-ipam-pools dst -j MASQUERADE --to-ports 1000-2000 --random-fully",
                  "-m set --match-set cali40masq-ipam-pools src -m set ! --match-set "
                  "cali40all-ipam-pools dst -j MASQUERADE --random-fully"));
}

TEST(Nat, MapsFloatingAddressesOfItsFamily) {
  const Config config;
  const FloatingIPs floating{
      {*policy::IPAddress::parse("10.0.0.1"), *policy::IPAddress::parse("192.0.2.1")},
      {*policy::IPAddress::parse("fd00::1"), *policy::IPAddress::parse("2001:db8::1")}};
  const auto chains = nat_chains({config, IPFamily::v4, {1, 2}}, floating, {});
  EXPECT_THAT(lines(named(chains, "cali-fip-dnat")),
              ElementsAre("-d 192.0.2.1/32 -j DNAT --to-destination 10.0.0.1"));
  EXPECT_THAT(lines(named(chains, "cali-fip-snat")),
              ElementsAre("-s 10.0.0.1/32 -d 10.0.0.1/32 -j SNAT --to-source 192.0.2.1"));
}

TEST(Marks, AreTheLowestBitsOfTheMask) {
  EXPECT_EQ(Marks::from_mask(0xffff0000)->accept, 0x10000U);
  EXPECT_EQ(Marks::from_mask(0xffff0000)->pass, 0x20000U);
  EXPECT_EQ(Marks::from_mask(0x80000001)->pass, 0x80000000U);
  EXPECT_FALSE(Marks::from_mask(0x100));
}

}  // namespace
}  // namespace margay::dataplane::iptables
