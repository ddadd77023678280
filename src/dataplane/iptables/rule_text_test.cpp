#include "dataplane/linux/rule_renderer.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "dataplane/iptables/linux_names.h"
#include "dataplane/iptables/rule_text.h"

namespace margay::dataplane::iptables {
namespace {

using policy::Action;
using policy::IPFamily;
using policy::Prefix;
using policy::ProgramRule;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Prefix net(const char* text) { return *Prefix::parse(text); }

std::vector<std::string> rendered(const ProgramRule& rule, IPFamily family = IPFamily::v4) {
  const RenderOptions options{.family = family,
                              .marks = {.accept = 0x10000, .pass = 0x20000},
                              .log_prefix = "calico-packet"};
  std::vector<std::string> lines;
  for (const auto& compiled : render({&rule, 1}, options).rules)
    for (const auto& [match, target, comment] : to_text(compiled, family))
      lines.push_back(match.empty() ? target : match + " " + target);
  return lines;
}

constexpr const char* k_accept = "-j MARK --set-xmark 0x10000/0x10000";
constexpr const char* k_return = "-m mark --mark 0x10000/0x10000 -j RETURN";

struct Case {
  const char* name;
  ProgramRule rule;
  std::vector<std::string> v4;  // of a Deny rule: its lines before " -j DROP"
  std::vector<std::string> v6;
};

ProgramRule deny(ProgramRule rule) {
  rule.action = Action::deny;
  return rule;
}

class DenyRule : public testing::TestWithParam<Case> {};

TEST_P(DenyRule, BecomesThisText) {
  const auto drops = [](std::vector<std::string> matches) {
    for (auto& match : matches) match += match.empty() ? "-j DROP" : " -j DROP";
    return matches;
  };
  EXPECT_EQ(rendered(deny(GetParam().rule), IPFamily::v4), drops(GetParam().v4));
  EXPECT_EQ(rendered(deny(GetParam().rule), IPFamily::v6), drops(GetParam().v6));
}

INSTANTIATE_TEST_SUITE_P(
    Matches, DenyRule,
    testing::Values(
        Case{"Everything", {}, {""}, {""}}, Case{"NeverMatches", {.never_matches = true}, {}, {}},
        Case{"OneFamily", {.family = IPFamily::v6}, {}, {""}},
        Case{"Protocol", {.protocol = 6}, {"-p 6"}, {"-p 6"}},
        Case{"NotProtocol", {.not_protocol = 17}, {"! -p 17"}, {"! -p 17"}},
        Case{"ProtocolThatIsExcluded", {.protocol = 6, .not_protocol = 6}, {}, {}},
        Case{"ProtocolMakesNotProtocolIdle",
             {.protocol = 6, .not_protocol = 17},
             {"-p 6"},
             {"-p 6"}},
        // Zero would mean every protocol to iptables.
        Case{"ProtocolZero", {.protocol = 0}, {}, {}},
        Case{"OneNet", {.source = {.nets = {net("10.0.0.0/8")}}}, {"-s 10.0.0.0/8"}, {}},
        Case{"OneNetOfIPv6", {.destination = {.nets = {net("fd00::/8")}}}, {}, {"-d fd00::/8"}},
        Case{"NotOneNet",
             {.destination = {.not_nets = {net("10.0.0.0/8")}}},
             {"! -d 10.0.0.0/8"},
             {}},
        Case{"EveryNetAsksNothing",
             {.source = {.nets = {net("10.0.0.0/8"), net("0.0.0.0/0")}}},
             {""},
             {}},
        Case{"NotEveryNetMatchesNothing", {.source = {.not_nets = {net("0.0.0.0/0")}}}, {}, {}},
        Case{"NetsOfBothFamilies",
             {.source = {.nets = {net("10.0.0.0/8"), net("fd00::/8")}}},
             {},
             {}},
        Case{"Sets",
             {.source = {.sets = {"s:a", "s:b"}, .not_sets = {"s:c"}}},
             {"-m set --match-set cali40s:a src -m set --match-set cali40s:b src "
              "-m set ! --match-set cali40s:c src"},
             {"-m set --match-set cali60s:a src -m set --match-set cali60s:b src "
              "-m set ! --match-set cali60s:c src"}},
        Case{"ICMPIsIPv4s",
             {.protocol = 1, .icmp = policy::ICMPMatch{8, 0}},
             {"-p 1 -m icmp --icmp-type 8/0"},
             {}},
        Case{"ICMPv6IsIPv6s",
             {.protocol = 58, .not_icmp = policy::ICMPMatch{128, {}}},
             {},
             {"-p 58 -m icmp6 ! --icmpv6-type 128"}},
        Case{"Ports",
             {.protocol = 17,
              .source = {.ports = {{53, 53}}},
              .destination = {.ports = {{80, 90}, {443, 443}}}},
             {"-p 17 -m multiport --sports 53 -m multiport --dports 80:90,443"},
             {"-p 17 -m multiport --sports 53 -m multiport --dports 80:90,443"}},
        Case{"PortsNeedAProtocolThatHasThem",
             {.protocol = 47, .destination = {.ports = {{1, 2}}}},
             {},
             {}},
        Case{"NotPortsNeedOneToo", {.destination = {.not_ports = {{1, 2}}}}, {}, {}},
        Case{"NotPorts",
             {.protocol = 132, .destination = {.not_ports = {{1, 2}}, .not_port_sets = {"n:x"}}},
             {"-p 132 -m multiport ! --dports 1:2 -m set ! --match-set cali40n:x dst,dst"},
             {"-p 132 -m multiport ! --dports 1:2 -m set ! --match-set cali60n:x dst,dst"}},
        Case{"NamedPortsAreAlternatives",
             {.protocol = 6,
              .source = {.port_sets = {"n:s"}},
              .destination = {.ports = {{80, 80}}, .port_sets = {"n:d"}}},
             {"-p 6 -m set --match-set cali40n:s src,src -m multiport --dports 80",
              "-p 6 -m set --match-set cali40n:s src,src -m set --match-set cali40n:d dst,dst"},
             {"-p 6 -m set --match-set cali60n:s src,src -m multiport --dports 80",
              "-p 6 -m set --match-set cali60n:s src,src -m set --match-set cali60n:d dst,dst"}}),
    [](const auto& given) { return given.param.name; });

TEST(Render, AllowMarksAndReturns) {
  EXPECT_THAT(rendered({.action = Action::allow, .protocol = 6}),
              ElementsAre("-p 6 " + std::string(k_accept), k_return));
}

TEST(Render, PassMarksAndReturns) {
  EXPECT_THAT(rendered({.action = Action::pass}),
              ElementsAre("-j MARK --set-xmark 0x20000/0x20000",
                          "-m mark --mark 0x20000/0x20000 -j RETURN"));
}

TEST(Render, LogGoesOn) {
  EXPECT_THAT(rendered({.action = Action::log}),
              ElementsAre("-j LOG --log-prefix \"calico-packet: \" --log-level 5"));
}

TEST(Render, ManyNetsShareOneSetWhateverTheirOrder) {
  const RenderOptions options{.marks = {.accept = 1, .pass = 2}};
  const std::vector<ProgramRule> rules{
      {.source = {.nets = {net("10.0.0.0/8"), net("192.0.2.0/24")}}},
      {.destination = {.not_nets = {net("192.0.2.0/24"), net("10.0.0.0/8")}}}};
  const auto out = render(rules, options);
  ASSERT_THAT(out.net_sets, SizeIs(1));
  const std::string name = "cali40" + out.net_sets.begin()->first;
  EXPECT_LE(name.size(), 31U);
  EXPECT_EQ(to_text(out.rules[0], IPFamily::v4)[0].match, "-m set --match-set " + name + " src");
  EXPECT_EQ(to_text(out.rules[2], IPFamily::v4)[0].match, "-m set ! --match-set " + name + " dst");
}

TEST(Render, ARuleThatIsNotEmittedLeavesNoSets) {
  const RenderOptions options{};
  const ProgramRule rule{.protocol = 47,
                         .source = {.nets = {net("10.0.0.0/8"), net("192.0.2.0/24")}},
                         .destination = {.ports = {{1, 1}}}};
  const auto out = render({&rule, 1}, options);
  EXPECT_THAT(out.rules, IsEmpty());
  EXPECT_THAT(out.net_sets, IsEmpty());
}

// However much a rule lists, no line of it grows with that.
TEST(Render, ManyPortsThatAreNotMeantBecomeRulesOfTheirOwn) {
  ProgramRule rule{.protocol = 6, .source = {.nets = {net("10.0.0.0/8")}}};
  for (uint16_t i = 0; i < 31; ++i)
    rule.destination.not_ports.push_back({uint16_t(3 * i), uint16_t(3 * i + 1)});
  rule.source.not_port_sets = {"web"};
  const std::string is_meant = "-m mark --mark 0x20000/0x20000";
  const std::string is_not = "-j MARK --set-xmark 0x0/0x20000";
  const auto lists = multiport_lists(rule.destination.not_ports);
  ASSERT_THAT(lists, SizeIs(5));
  std::vector<std::string> steps = {is_not,
                                    "-p 6 -s 10.0.0.0/8 -j MARK --set-xmark 0x20000/0x20000",
                                    is_meant + " -m set --match-set cali40web src,src " + is_not};
  for (const auto& list : lists)
    steps.push_back(is_meant + " -p 6 -m multiport --dports " + list + " " + is_not);
  const auto with_end = [&](std::vector<std::string> end) {
    auto all = steps;
    all.insert(all.end(), end.begin(), end.end());
    return all;
  };
  const std::string pass = is_meant + " -j RETURN";
  EXPECT_EQ(rendered(deny(rule)), with_end({is_meant + " -j DROP"}));
  rule.action = Action::allow;
  EXPECT_EQ(rendered(rule), with_end({is_meant + " " + k_accept,
                                      "-m mark --mark 0x10000/0x10000 " + is_not, k_return}));
  rule.action = Action::pass;
  EXPECT_EQ(rendered(rule), with_end({pass}));
  rule.action = Action::log;
  EXPECT_EQ(
      rendered(rule),
      with_end({is_meant + " -j LOG --log-prefix \"calico-packet: \" --log-level 5", is_not}));
}

TEST(MultiportLists, TakeFifteenSlotsEachAndTwoForARange) {
  std::vector<policy::PortRange> singles, ranges;
  for (uint16_t i = 0; i < 16; ++i) singles.push_back({uint16_t(10 * i), uint16_t(10 * i)});
  for (uint16_t i = 0; i < 8; ++i) ranges.push_back({uint16_t(10 * i), uint16_t(10 * i + 1)});
  EXPECT_THAT(multiport_lists(singles),
              ElementsAre("0,10,20,30,40,50,60,70,80,90,100,110,120,130,140", "150"));
  EXPECT_THAT(multiport_lists(ranges),
              ElementsAre("0:1,10:11,20:21,30:31,40:41,50:51,60:61", "70:71"));
  EXPECT_THAT(multiport_lists({}), IsEmpty());
}

}  // namespace
}  // namespace margay::dataplane::iptables
