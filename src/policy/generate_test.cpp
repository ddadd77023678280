#include "policy/generate.h"

#include "policy/workload_interfaces.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "policy/generate_objects.h"
#include "policy/protocol.h"

namespace margay::policy {
namespace {

std::string transcript(uint64_t seed) {
  Generator generator(seed);
  Model model = generator.model();
  std::string text;
  for (int i = 0; i < 50; ++i) model.apply(generator.change(model));
  for (const auto& [key, policy] : model.policies) text += key.id() + policy.selector.text() + "\n";
  for (const auto& [key, endpoint] : model.workloads)
    if (!endpoint.addresses.empty())
      text += to_string(generator.packet(model, endpoint, Direction::ingress)) + "\n";
  return text;
}

TEST(Generator, SaysTheSameForTheSameSeed) {
  EXPECT_EQ(transcript(7), transcript(7));
  EXPECT_NE(transcript(7), transcript(8));
}

// That some pass and some deny, and that policies of several meet at one endpoint.
TEST(Generator, PoliciesAreInTiersOfBothKinds) {
  size_t several = 0, ends = 0, passed_on = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Generator generator(seed);
    const Model model = generator.model();
    const Evaluator evaluator(model);
    for (const auto& [key, endpoint] : model.workloads) {
      if (endpoint.addresses.empty()) continue;
      std::set<std::string> tiers;
      for (const Policy* policy : evaluator.applicable_policies(endpoint, Direction::ingress))
        tiers.insert(policy->key.tier);
      several += tiers.size() > 1;
      std::vector<Step> steps;
      const auto packet = generator.packet(model, endpoint, Direction::ingress);
      const auto decision = evaluator.evaluate(endpoint, Direction::ingress, packet, &steps);
      ends += decision.by == Decision::By::end_of_tier && decision.tier != "default";
      for (size_t i = 1; i < steps.size(); ++i)
        passed_on += steps[i].tier != steps[i - 1].tier && !steps[i - 1].matched;
    }
  }
  EXPECT_GT(several, 20u);
  EXPECT_GT(ends, 5u);
  EXPECT_GT(passed_on, 20u);
}

// Every kind that a host endpoint can be, with policies of every stage, and the node's settings.
TEST(Generator, HostsHaveEndpointsAndPoliciesOfEveryKind) {
  std::map<std::string, size_t> made;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Generator generator(seed, {.node = "here", .early_policies = 40});
    const Model model = generator.model();
    for (const auto& [key, endpoint] : model.host_endpoints)
      if (key.node == "here")
        ++made[!endpoint.interface_name.empty()      ? "interface " + endpoint.interface_name
               : endpoint.expected_addresses.empty() ? "nothing"
                                                     : "expected addresses"];
    for (const auto& [key, policy] : model.policies) {
      made["doNotTrack"] += policy.do_not_track;
      made["preDNAT"] += policy.pre_dnat;
      made["forward"] += policy.apply_on_forward && !policy.do_not_track && !policy.pre_dnat;
      made["both, or an egress of preDNAT"] +=
          policy.pre_dnat && (policy.do_not_track || policy.applies_egress);
    }
    const auto settings = generator.settings();
    for (const auto* failsafes : {&settings.failsafes.inbound, &settings.failsafes.outbound}) {
      made["no failsafe"] += failsafes->empty();
      for (const auto& failsafe : *failsafes)
        ++made[failsafe.net ? fmt::format("failsafe of IPv{}",
                                          failsafe.net->family() == IPFamily::v4 ? 4 : 6)
                            : "failsafe for everyone"];
    }
  }
  for (const char* kind : {"interface eth0", "interface eth1", "interface *", "expected addresses",
                           "doNotTrack", "preDNAT", "forward", "no failsafe", "failsafe of IPv4",
                           "failsafe of IPv6", "failsafe for everyone"})
    EXPECT_GT(made[kind], 5u) << kind;
  EXPECT_EQ(made["both, or an egress of preDNAT"], 0u);
}

bool is_usable(const WorkloadEndpoint& endpoint, const std::string& node) {
  return endpoint.key.node == node && endpoint.admin_up &&
         WorkloadInterfaces().contains(endpoint.interface_name) && endpoint.addresses.size() == 2;
}

TEST(Generator, HasALocalWorkloadToTry) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Model model = Generator(seed, {.node = "here"}).model();
    EXPECT_TRUE(std::ranges::any_of(
        model.workloads, [](const auto& entry) { return is_usable(entry.second, "here"); }))
        << "seed " << seed;
  }
}

TEST(Generator, StaysInIPv4WhenTold) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Model model = Generator(seed, {.ipv6 = false}).model();
    for (const auto& [key, endpoint] : model.workloads)
      for (const IPAddress& address : endpoint.addresses) EXPECT_TRUE(address.is_v4());
    for (const auto& [key, pool] : model.pools) EXPECT_EQ(pool.cidr.family(), IPFamily::v4);
  }
}

// ---- every field of a rule ----------------------------------------------------------------------

std::vector<Rule> many_rules() {
  std::vector<Rule> rules;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const Model model = Generator(seed).model();
    const auto add = [&](const auto& table) {
      for (const auto& [key, of] : table)
        for (const auto* list : {&of.ingress, &of.egress})
          rules.insert(rules.end(), list->begin(), list->end());
    };
    add(model.policies);
    add(model.profiles);
  }
  return rules;
}

struct RuleField {
  std::string name;
  std::function<bool(const Rule&)> is_in;
};

// As docs/policy.md lists them, "When a rule matches".
std::vector<RuleField> rule_fields() {
  std::vector<RuleField> fields{
      {"Allow", [](const Rule& rule) { return rule.action == Action::allow; }},
      {"Deny", [](const Rule& rule) { return rule.action == Action::deny; }},
      {"Pass", [](const Rule& rule) { return rule.action == Action::pass; }},
      {"Log", [](const Rule& rule) { return rule.action == Action::log; }},
      {"ipVersion 4", [](const Rule& rule) { return rule.family == IPFamily::v4; }},
      {"ipVersion 6", [](const Rule& rule) { return rule.family == IPFamily::v6; }},
      {"protocol", [](const Rule& rule) { return rule.protocol.has_value(); }},
      {"notProtocol", [](const Rule& rule) { return rule.not_protocol.has_value(); }},
      {"http", [](const Rule& rule) { return rule.has_http; }},
      {"nothing that could match", [](const Rule& rule) { return rule.never_matches; }},
      {"no condition", [](const Rule& rule) { return rule == Rule{.action = rule.action}; }}};
  for (const auto& [version, protocol] : {std::pair{"ICMP", k_icmp}, {"ICMPv6", k_icmpv6}})
    for (const bool with_code : {false, true})
      for (const auto& [negation, field] :
           {std::pair{"", &Rule::icmp}, std::pair{"not ", &Rule::not_icmp}})
        fields.push_back({fmt::format("{}{} type{}", negation, version, with_code ? ", code" : ""),
                          [=](const Rule& rule) {
                            const auto& icmp = rule.*field;
                            return rule.protocol == protocol && icmp &&
                                   icmp->code.has_value() == with_code;
                          }});
  for (const auto& [side, entity] :
       {std::pair{"source", &Rule::source}, std::pair{"destination", &Rule::destination}}) {
    const auto add = [&](const char* name, bool (*is_in)(const EntityMatch&)) {
      fields.push_back({fmt::format("{} {}", side, name),
                        [=](const Rule& rule) { return is_in(rule.*entity); }});
    };
    add("nets", [](const EntityMatch& of) { return !of.nets.empty(); });
    add("notNets", [](const EntityMatch& of) { return !of.not_nets.empty(); });
    add("selector", [](const EntityMatch& of) { return of.selector.has_value(); });
    add("notSelector", [](const EntityMatch& of) { return of.not_selector.has_value(); });
    for (const auto& [name, protocol] : {std::pair{"TCP", k_tcp}, {"UDP", k_udp}, {"SCTP", k_sctp}})
      for (const auto& [kind, is_in] :
           std::vector<std::pair<const char*, bool (*)(const EntityMatch&)>>{
               {"ports", [](const EntityMatch& of) { return !of.ports.empty(); }},
               {"named ports", [](const EntityMatch& of) { return !of.named_ports.empty(); }},
               {"notPorts", [](const EntityMatch& of) { return !of.not_ports.empty(); }},
               {"named notPorts",
                [](const EntityMatch& of) { return !of.not_named_ports.empty(); }}})
        fields.push_back({fmt::format("{} {} {}", name, side, kind), [=](const Rule& rule) {
                            return rule.protocol == protocol && is_in(rule.*entity);
                          }});
  }
  for (const char* term :
       {"has(app)", "!has(app)", "app == \"a\"", "app != \"a\"", "app in {", "app not in {",
        " contains ", " starts with ", " ends with ", "projectcalico.org/serviceaccount",
        "pcsa.role", "pcns.team", "!has(projectcalico.org/namespace)", " && ", " || ", "!("})
    fields.push_back({fmt::format("selector with {}", term), [=](const Rule& rule) {
                        const auto& selector = rule.source.selector;
                        return selector && selector->text().contains(term);
                      }});
  return fields;
}

TEST(Generator, MakesEveryFieldOfARule) {
  const auto rules = many_rules();
  for (const auto& [name, is_in] : rule_fields())
    EXPECT_GE(std::ranges::count_if(rules, is_in), 3) << name;
}

// A field that nothing meets is as good as none.
TEST(Generator, PacketsMeetRulesOfEveryProtocol) {
  std::map<uint8_t, size_t> met;
  size_t by_named_port = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Generator generator(seed);
    const Model model = generator.model();
    const Evaluator evaluator(model);
    for (const auto& [key, endpoint] : model.workloads)
      for (int i = 0; i < 80 && !endpoint.addresses.empty(); ++i) {
        const Packet packet = generator.packet(model, endpoint, Direction::ingress);
        for (const Policy* policy : evaluator.applicable_policies(endpoint, Direction::ingress))
          for (const Rule& rule : policy->ingress) {
            if (!rule.protocol || !evaluator.matches(rule, packet)) continue;
            ++met[*rule.protocol];
            by_named_port +=
                rule.destination.ports.empty() && !rule.destination.named_ports.empty();
          }
      }
  }
  for (const uint8_t protocol : GenerateOptions().protocols)
    EXPECT_GT(met[protocol], 10u) << protocol_name(protocol);
  EXPECT_GT(by_named_port, 10u);
}

// What is to be sent must be something a network carries, and hit what rules ask about.
TEST(Generator, PacketsCanBeSentAndReachTheEdges) {
  std::set<uint8_t> protocols;
  size_t inside = 0;
  size_t total = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Generator generator(seed);
    const Model model = generator.model();
    const auto& endpoint = model.workloads.begin()->second;
    if (endpoint.addresses.empty()) continue;
    for (int i = 0; i < 200; ++i) {
      const Packet packet = generator.packet(model, endpoint, Direction::ingress);
      ASSERT_EQ(packet.source.family(), packet.destination.family());
      ASSERT_NE(packet.source, packet.destination);
      ASSERT_EQ(std::ranges::count(endpoint.addresses, packet.destination), 1);
      ASSERT_LT(packet.source.bytes()[0], packet.source.is_v4() ? 224 : 0xfe) << to_string(packet);
      ASSERT_FALSE(packet.protocol == k_icmpv6 && packet.source.is_v4());
      ASSERT_NE(packet.destination_port, 4789);
      protocols.insert(packet.protocol);
      inside += std::ranges::count_if(vocabulary_nets(), [&packet](const Prefix& net) {
                  return net.length() > 0 && net.contains(packet.source);
                }) > 0;
      ++total;
    }
  }
  EXPECT_EQ(protocols.size(), GenerateOptions().protocols.size());
  EXPECT_GT(inside, total / 4);
  EXPECT_LT(inside, total);
}

}  // namespace
}  // namespace margay::policy
