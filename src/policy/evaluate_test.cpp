#include "policy/evaluate.h"

#include <gtest/gtest.h>

namespace margay::policy {
namespace {

IPAddress ip(const char* text) { return *IPAddress::parse(text); }
Prefix net(const char* text) { return *Prefix::parse_strict(text); }
Selector selector(const char* text) { return *Selector::parse(text); }

// The cluster that rules are tried in. The packet of every case goes from `client` to `server`.
Model cluster() {
  Model model;
  model.profiles["kns.shop"] = {
      .name = "kns.shop", .labels_to_apply = {{"pcns.team", "web"}, {"tier", "from-profile"}}};
  const auto add = [&model](const char* pod, std::vector<IPAddress> addresses, Labels labels,
                            std::vector<NamedPort> ports) {
    const WorkloadKey key{"node-a", "k8s", std::string("shop/") + pod, "eth0"};
    model.workloads[key] = {.key = key,
                            .ns = "shop",
                            .addresses = std::move(addresses),
                            .labels = std::move(labels),
                            .profiles = {"kns.shop"},
                            .ports = std::move(ports)};
  };
  add("client", {ip("10.65.0.1"), ip("fd00::1")}, {{"app", "client"}}, {});
  add("server", {ip("10.65.0.2"), ip("fd00::2")}, {{"app", "server"}},
      {{"http", k_tcp, 8080}, {"dns", k_udp, 53}, {"diameter", k_sctp, 3868}});
  add("other", {ip("10.65.0.3")}, {{"app", "other"}}, {{"http", k_tcp, 9090}});
  model.network_sets[{"", "office"}] = {
      .key = {"", "office"}, .labels = {{"zone", "office"}}, .nets = {net("192.0.2.0/24")}};
  model.host_endpoints[{"node-a", "gateway"}] = {.key = {"node-a", "gateway"},
                                                 .expected_addresses = {ip("198.51.100.1")},
                                                 .labels = {{"role", "gateway"}},
                                                 .ports = {{"admin", k_tcp, 22}}};
  return model;
}

Packet tcp(const char* from, const char* to, uint16_t port, uint16_t source_port = 40000) {
  return {ip(from), ip(to), k_tcp, source_port, port};
}
Packet of_protocol(uint8_t protocol) { return {ip("10.65.0.1"), ip("10.65.0.2"), protocol, 1, 1}; }
Packet icmp(uint8_t type, uint8_t code) {
  return {.source = ip("10.65.0.1"),
          .destination = ip("10.65.0.2"),
          .protocol = k_icmp,
          .icmp_type = type,
          .icmp_code = code};
}
Packet icmpv6(uint8_t type) {
  return {.source = ip("fd00::1"),
          .destination = ip("fd00::2"),
          .protocol = k_icmpv6,
          .icmp_type = type};
}

const Packet k_web = tcp("10.65.0.1", "10.65.0.2", 8080);
const Packet k_web6 = tcp("fd00::1", "fd00::2", 8080);

Rule to_ports(EntityMatch destination, uint8_t protocol = k_tcp) {
  return {.protocol = protocol, .destination = std::move(destination)};
}

Rule source_selectors(const char* is, const char* is_not) {
  Rule rule;
  if (is) rule.source.selector = selector(is);
  if (is_not) rule.source.not_selector = selector(is_not);
  return rule;
}
Rule source_selector(const char* is) { return source_selectors(is, nullptr); }
Rule destination_selector(const char* is) {
  Rule rule;
  rule.destination.selector = selector(is);
  return rule;
}

struct MatchCase {
  const char* name;
  Rule rule;
  Packet packet;
  const char* mismatch;  // "": the rule matches
};

void PrintTo(const MatchCase& c, std::ostream* out) { *out << c.name; }

class RuleMatch : public ::testing::TestWithParam<MatchCase> {};

TEST_P(RuleMatch, SaysWhetherAndWhatDoesNot) {
  const MatchCase& c = GetParam();
  std::string mismatch;
  EXPECT_EQ(matches(cluster(), c.rule, c.packet, &mismatch), *c.mismatch == '\0') << c.name;
  EXPECT_EQ(mismatch, c.mismatch) << c.name;
}

const MatchCase k_packet_fields[] = {
    {"an empty rule matches IPv4", {}, k_web, ""},
    {"an empty rule matches IPv6", {}, k_web6, ""},
    {"an empty rule matches any protocol", {}, of_protocol(253), ""},
    {"ipVersion 4", {.family = IPFamily::v4}, k_web, ""},
    {"ipVersion 4, IPv6 packet", {.family = IPFamily::v4}, k_web6, "ipVersion"},
    {"ipVersion 6", {.family = IPFamily::v6}, k_web6, ""},
    {"protocol", {.protocol = k_tcp}, k_web, ""},
    {"protocol differs", {.protocol = k_udp}, k_web, "protocol"},
    {"protocol by number", {.protocol = 253}, of_protocol(253), ""},
    {"UDPLite is not UDP", {.protocol = k_udp}, of_protocol(k_udplite), "protocol"},
    {"ICMP is not ICMPv6", {.protocol = k_icmp}, icmpv6(128), "protocol"},
    {"ICMPv6 is not ICMP", {.protocol = k_icmpv6}, icmp(8, 0), "protocol"},
    {"notProtocol differs", {.not_protocol = k_udp}, k_web, ""},
    {"notProtocol", {.not_protocol = k_tcp}, k_web, "notProtocol"},
    {"icmp type", {.protocol = k_icmp, .icmp = ICMPMatch{8, {}}}, icmp(8, 3), ""},
    {"icmp type differs", {.protocol = k_icmp, .icmp = ICMPMatch{8, {}}}, icmp(0, 0), "icmp"},
    {"icmp type and code", {.protocol = k_icmp, .icmp = ICMPMatch{3, 4}}, icmp(3, 4), ""},
    {"icmp code differs", {.protocol = k_icmp, .icmp = ICMPMatch{3, 4}}, icmp(3, 1), "icmp"},
    {"icmpv6 type", {.protocol = k_icmpv6, .icmp = ICMPMatch{128, {}}}, icmpv6(128), ""},
    {"notICMP differs", {.protocol = k_icmp, .not_icmp = ICMPMatch{8, {}}}, icmp(0, 0), ""},
    {"notICMP", {.protocol = k_icmp, .not_icmp = ICMPMatch{8, {}}}, icmp(8, 0), "notICMP"},
    {"notICMP with another code",
     {.protocol = k_icmp, .not_icmp = ICMPMatch{8, 1}},
     icmp(8, 0),
     ""},
    {"icmp needs its protocol", {.icmp = ICMPMatch{8, {}}}, icmp(8, 0), "icmp"},
    {"an ICMP type is of IPv4",
     {.protocol = k_icmp, .not_icmp = ICMPMatch{8, {}}},
     {ip("fd00::1"), ip("fd00::2"), k_icmp},
     "ipVersion"},
    {"http on Allow is not ours to judge", {.has_http = true}, k_web, "http"},
    {"http on Pass is not ours to judge",
     {.action = Action::pass, .has_http = true},
     k_web,
     "http"},
    {"http on Deny stays closed", {.action = Action::deny, .has_http = true}, k_web, ""},
    {"never", {.never_matches = true}, k_web, "never"},
};
INSTANTIATE_TEST_SUITE_P(PacketFields, RuleMatch, ::testing::ValuesIn(k_packet_fields));

const MatchCase k_nets[] = {
    {"source net", {.source = {.nets = {net("10.65.0.0/31")}}}, k_web, ""},
    {"source net differs", {.source = {.nets = {net("10.65.0.2/31")}}}, k_web, "source.nets"},
    {"any source net", {.source = {.nets = {net("10.9.0.0/16"), net("10.65.0.1/32")}}}, k_web, ""},
    {"destination net", {.destination = {.nets = {net("10.65.0.2/32")}}}, k_web, ""},
    {"destination net differs",
     {.destination = {.nets = {net("10.65.0.3/32")}}},
     k_web,
     "destination.nets"},
    {"not net differs", {.source = {.not_nets = {net("10.65.0.2/32")}}}, k_web, ""},
    {"not net", {.source = {.not_nets = {net("10.65.0.1/32")}}}, k_web, "source.notNets"},
    {"one of two not nets",
     {.destination = {.not_nets = {net("10.9.0.0/16"), net("10.65.0.0/16")}}},
     k_web,
     "destination.notNets"},
    {"net but for an exception inside",
     {.source = {.nets = {net("10.65.0.0/16")}, .not_nets = {net("10.65.0.1/32")}}},
     k_web,
     "source.notNets"},
    {"IPv4 net, IPv6 packet", {.source = {.nets = {net("0.0.0.0/0")}}}, k_web6, "ipVersion"},
    {"IPv6 net", {.source = {.nets = {net("fd00::/64")}}}, k_web6, ""},
    {"IPv4 exception, IPv6 packet",
     {.source = {.not_nets = {net("10.0.0.0/8")}}},
     k_web6,
     "ipVersion"},
    {"nets of both families on two sides",
     {.source = {.nets = {net("10.0.0.0/8")}}, .destination = {.nets = {net("fd00::/64")}}},
     k_web,
     "nets"},
    {"net of another family than ipVersion",
     {.family = IPFamily::v6, .source = {.nets = {net("10.0.0.0/8")}}},
     k_web,
     "nets"},
};
INSTANTIATE_TEST_SUITE_P(Nets, RuleMatch, ::testing::ValuesIn(k_nets));

const MatchCase k_selectors[] = {
    {"source selector", source_selector("app == 'client'"), k_web, ""},
    {"source selector, the other family", source_selector("app == 'client'"), k_web6, ""},
    {"source selector of another pod", source_selector("app == 'server'"), k_web,
     "source.selector"},
    {"destination selector", destination_selector("app == 'server'"), k_web, ""},
    {"destination selector of another pod", destination_selector("app == 'client'"), k_web,
     "destination.selector"},
    {"label that a profile gives", source_selector("pcns.team == 'web'"), k_web, ""},
    {"network set", source_selector("zone == 'office'"), tcp("192.0.2.77", "10.65.0.2", 80), ""},
    {"outside the network set", source_selector("zone == 'office'"),
     tcp("192.0.3.0", "10.65.0.2", 80), "source.selector"},
    {"host endpoint", source_selector("role == 'gateway'"), tcp("198.51.100.1", "10.65.0.2", 80),
     ""},
    {"all() is every known address", source_selector("all()"), k_web, ""},
    {"all() is not an unknown address", source_selector("all()"),
     tcp("203.0.113.1", "10.65.0.2", 80), "source.selector"},
    {"notSelector of another pod", source_selectors(nullptr, "app == 'server'"), k_web, ""},
    {"notSelector", source_selectors(nullptr, "app == 'client'"), k_web, "source.notSelector"},
    {"notSelector and an unknown address", source_selectors(nullptr, "all()"),
     tcp("203.0.113.1", "10.65.0.2", 80), ""},
    {"selector and notSelector both hold", source_selectors("has(app)", "app == 'client'"), k_web,
     "source.notSelector"},
};
INSTANTIATE_TEST_SUITE_P(Selectors, RuleMatch, ::testing::ValuesIn(k_selectors));

const MatchCase k_ports[] = {
    {"port", to_ports({.ports = {{8080, 8080}}}), k_web, ""},
    {"port below a range", to_ports({.ports = {{8081, 8090}}}), k_web, "destination.ports"},
    {"first of a range", to_ports({.ports = {{8080, 8090}}}), k_web, ""},
    {"last of a range", to_ports({.ports = {{8000, 8080}}}), k_web, ""},
    {"port above a range", to_ports({.ports = {{8000, 8079}}}), k_web, "destination.ports"},
    {"any range", to_ports({.ports = {{1, 2}, {8080, 8080}}}), k_web, ""},
    {"source port", {.protocol = k_tcp, .source = {.ports = {{40000, 40000}}}}, k_web, ""},
    {"source port differs",
     {.protocol = k_tcp, .source = {.ports = {{8080, 8080}}}},
     k_web,
     "source.ports"},
    {"notPorts differ", to_ports({.not_ports = {{80, 80}}}), k_web, ""},
    {"notPorts", to_ports({.not_ports = {{8080, 8080}}}), k_web, "destination.notPorts"},
    {"named port", to_ports({.named_ports = {"http"}}), k_web, ""},
    {"named port, the other family", to_ports({.named_ports = {"http"}}), k_web6, ""},
    {"named port of another pod's number", to_ports({.named_ports = {"http"}}),
     tcp("10.65.0.1", "10.65.0.2", 9090), "destination.ports"},
    {"each pod has its own number", to_ports({.named_ports = {"http"}}),
     tcp("10.65.0.1", "10.65.0.3", 9090), ""},
    {"named port in another protocol", to_ports({.named_ports = {"dns"}}),
     tcp("10.65.0.1", "10.65.0.2", 53), "destination.ports"},
    {"named port in UDP",
     to_ports({.named_ports = {"dns"}}, k_udp),
     {ip("10.65.0.1"), ip("10.65.0.2"), k_udp, 1, 53},
     ""},
    {"named port in SCTP",
     to_ports({.named_ports = {"diameter"}}, k_sctp),
     {ip("10.65.0.1"), ip("10.65.0.2"), k_sctp, 1, 3868},
     ""},
    {"named port of a host endpoint", to_ports({.named_ports = {"admin"}}),
     tcp("10.65.0.1", "198.51.100.1", 22), ""},
    {"named port among those the selector chooses",
     to_ports({.selector = selector("app == 'server'"), .named_ports = {"http"}}), k_web, ""},
    {"named port outside what the selector chooses",
     to_ports({.selector = selector("app == 'other'"), .ports = {{1, 1}}, .named_ports = {"http"}}),
     k_web, "destination.selector"},
    {"number or name", to_ports({.ports = {{9090, 9090}}, .named_ports = {"http"}}), k_web, ""},
    {"no such name", to_ports({.named_ports = {"nobody"}}), k_web, "destination.ports"},
    {"not a named port", to_ports({.not_named_ports = {"http"}}), k_web, "destination.notPorts"},
    {"not another pod's named port", to_ports({.not_named_ports = {"http"}}),
     tcp("10.65.0.1", "10.65.0.2", 9090), ""},
    {"ports need a protocol", {.destination = {.ports = {{8080, 8080}}}}, k_web, "ports"},
    {"notPorts need a protocol", {.destination = {.not_ports = {{1, 1}}}}, k_web, "ports"},
    {"ports need one that has them", to_ports({.ports = {{0, 65535}}}, k_icmp), icmp(8, 0),
     "ports"},
};
INSTANTIATE_TEST_SUITE_P(Ports, RuleMatch, ::testing::ValuesIn(k_ports));

TEST(EffectiveLabels, GrowStrongerFromProfileToProfileToOwn) {
  Model model;
  model.profiles["a"] = {.name = "a", .labels_to_apply = {{"x", "a"}, {"y", "a"}, {"z", "a"}}};
  model.profiles["b"] = {.name = "b", .labels_to_apply = {{"y", "b"}, {"z", "b"}}};
  const Labels expected = {{"x", "a"}, {"y", "b"}, {"z", "own"}};
  EXPECT_EQ(effective_labels(model, {{"z", "own"}}, {"a", "not-there", "b"}), expected);
}

TEST(EndpointOf, FindsTheOwnerOfAnAddress) {
  Model model = cluster();
  EXPECT_EQ(endpoint_of(model, ip("fd00::2"))->key.workload, "shop/server");
  EXPECT_EQ(endpoint_of(model, ip("203.0.113.1")), nullptr);

  WorkloadKey twin{"node-b", "k8s", "shop/a-twin", "eth0"};
  model.workloads[twin] = {.key = twin, .addresses = {ip("10.65.0.2")}};
  EXPECT_EQ(endpoint_of(model, ip("10.65.0.2"))->key.node, "node-a") << "the first by key";
}

// ---- decisions --------------------------------------------------------------------------------

Rule allow() { return {.action = Action::allow}; }
Rule deny() { return {.action = Action::deny}; }
Rule pass() { return {.action = Action::pass}; }
Rule log() { return {.action = Action::log}; }
// A rule that the packet of these cases does not match.
Rule elsewhere(Action action) { return {.action = action, .protocol = k_udp}; }

Policy ingress_policy(PolicyKey key, std::optional<double> order, std::vector<Rule> rules) {
  return {.key = std::move(key), .order = order, .ingress = std::move(rules)};
}
PolicyKey in_tier(const char* tier, const char* name) { return {tier, "", name}; }

// Given these policies and profiles on `server`, when `client` connects, then this decides.
struct DecisionCase {
  const char* name;
  std::vector<Policy> policies;
  std::vector<Profile> profiles;
  const char* decision;
};

void PrintTo(const DecisionCase& c, std::ostream* out) { *out << c.name; }

std::string text(const Decision& d) {
  const std::string verdict = d.verdict == Verdict::allow ? "allow" : "deny";
  const std::string rule = " rule " + std::to_string(d.rule);
  const std::string policy = d.policy ? d.tier + "/" + d.policy->id() : "";
  switch (d.by) {
    case Decision::By::policy_rule:
      return verdict + " by " + policy + rule;
    case Decision::By::end_of_tier:
      return verdict + " at the end of " + policy;
    case Decision::By::profile_rule:
      return verdict + " by profile " + d.profile + rule;
    case Decision::By::no_profile_matched:
      return verdict + " as no profile matched";
    case Decision::By::endpoint_down:
      return verdict + " as the endpoint is down";
  }
  return {};
}

class Decisions : public ::testing::TestWithParam<DecisionCase> {
 protected:
  static Model given(const DecisionCase& c) {
    Model model = cluster();
    model.tiers["security"] = {"security", 10};
    model.tiers["default"] = {"default", 1000};
    WorkloadEndpoint& server = model.workloads.at({"node-a", "k8s", "shop/server", "eth0"});
    for (const Policy& policy : c.policies) model.policies[policy.key] = policy;
    server.profiles.clear();
    for (const Profile& profile : c.profiles) {
      model.profiles[profile.name] = profile;
      server.profiles.push_back(profile.name);
    }
    return model;
  }
};

TEST_P(Decisions, AreMadeInOrder) {
  const Model model = given(GetParam());
  const WorkloadEndpoint& server = *endpoint_of(model, ip("10.65.0.2"));
  EXPECT_EQ(text(evaluate(model, server, Direction::ingress, k_web)), GetParam().decision);
}

const PolicyKey k_a = in_tier("default", "a");
const PolicyKey k_b = in_tier("default", "b");
const PolicyKey k_s = in_tier("security", "s");
const Profile k_open = {.name = "open", .ingress = {Rule{}}};

const DecisionCase k_decisions[] = {
    {"no policy, no profile", {}, {}, "deny as no profile matched"},
    {"no policy: the profile decides", {}, {k_open}, "allow by profile open rule 0"},
    {"the first rule that matches decides",
     {ingress_policy(k_a, 1, {elsewhere(Action::deny), allow(), deny()})},
     {},
     "allow by default/a rule 1"},
    {"deny", {ingress_policy(k_a, 1, {deny(), allow()})}, {k_open}, "deny by default/a rule 0"},
    {"log goes on", {ingress_policy(k_a, 1, {log(), allow()})}, {}, "allow by default/a rule 1"},
    {"log alone decides nothing",
     {ingress_policy(k_a, 1, {log()})},
     {k_open},
     "deny at the end of default/a"},
    {"no rule matches: end of tier",
     {ingress_policy(k_a, 1, {elsewhere(Action::allow)})},
     {k_open},
     "deny at the end of default/a"},
    {"a policy without rules isolates",
     {ingress_policy(k_a, 1, {})},
     {k_open},
     "deny at the end of default/a"},
    {"the second policy is asked when the first is silent",
     {ingress_policy(k_a, 1, {}), ingress_policy(k_b, 2, {allow()})},
     {},
     "allow by default/b rule 0"},
    {"the end of the tier names the last policy asked",
     {ingress_policy(k_a, 2, {}), ingress_policy(k_b, 1, {})},
     {},
     "deny at the end of default/a"},
    {"order comes before name",
     {ingress_policy(k_a, 2, {deny()}), ingress_policy(k_b, 1, {allow()})},
     {},
     "allow by default/b rule 0"},
    {"fractions and negative orders count",
     {ingress_policy(k_a, -0.5, {deny()}), ingress_policy(k_b, -1.5, {allow()})},
     {},
     "allow by default/b rule 0"},
    {"equal order: the name decides",
     {ingress_policy(k_a, 1, {allow()}), ingress_policy(k_b, 1, {deny()})},
     {},
     "allow by default/a rule 0"},
    {"no order is last",
     {ingress_policy(k_a, {}, {deny()}), ingress_policy(k_b, 1e9, {allow()})},
     {},
     "allow by default/b rule 0"},
    {"names compare as namespace/name, as bytes",  // '-' is less than '/'
     {ingress_policy({"default", "shop", "x"}, 1, {deny()}),
      ingress_policy({"default", "shop-2", "x"}, 1, {allow()})},
     {},
     "allow by default/shop-2/x rule 0"},
    {"pass leaves the tier for the profiles",
     {ingress_policy(k_a, 1, {pass(), deny()}), ingress_policy(k_b, 2, {deny()})},
     {k_open},
     "allow by profile open rule 0"},
    {"pass leaves the tier for the next",
     {ingress_policy(k_s, 1, {pass()}), ingress_policy(k_a, 1, {deny()})},
     {k_open},
     "deny by default/a rule 0"},
    {"a tier's end does not pass",
     {ingress_policy(k_s, 1, {elsewhere(Action::allow)}), ingress_policy(k_a, 1, {allow()})},
     {k_open},
     "deny at the end of security/s"},
    {"tiers come by order, not by name",
     {ingress_policy(k_s, 1000, {allow()}), ingress_policy(k_a, 1, {deny()})},
     {},
     "allow by security/s rule 0"},
    {"a tier that is not there is last",
     {ingress_policy(in_tier("another", "x"), 1, {deny()}), ingress_policy(k_a, 1, {allow()})},
     {},
     "allow by default/a rule 0"},
    {"profiles are asked in their order",
     {},
     {{.name = "silent", .ingress = {elsewhere(Action::allow)}},
      {.name = "no", .ingress = {deny()}},
      k_open},
     "deny by profile no rule 0"},
    {"log in a profile goes on",
     {},
     {{.name = "p", .ingress = {log(), allow()}}},
     "allow by profile p rule 1"},
    {"pass in a profile denies",
     {},
     {{.name = "p", .ingress = {pass()}}, k_open},
     "deny by profile p rule 0"},
    {"a policy of the other direction does not isolate",
     {{.key = k_a, .applies_ingress = false, .applies_egress = true}},
     {k_open},
     "allow by profile open rule 0"},
    {"a policy for other endpoints does not isolate",
     {{.key = k_a, .selector = selector("app == 'client'")}},
     {k_open},
     "allow by profile open rule 0"},
    {"doNotTrack is not for workloads",
     {{.key = k_a, .ingress = {deny()}, .do_not_track = true, .apply_on_forward = true}},
     {k_open},
     "allow by profile open rule 0"},
    {"preDNAT is not for workloads",
     {{.key = k_a, .ingress = {deny()}, .pre_dnat = true, .apply_on_forward = true}},
     {k_open},
     "allow by profile open rule 0"},
    {"applyOnForward is for workloads too",
     {{.key = k_a, .ingress = {deny()}, .apply_on_forward = true}},
     {k_open},
     "deny by default/a rule 0"},
};
INSTANTIATE_TEST_SUITE_P(Policy, Decisions, ::testing::ValuesIn(k_decisions));

TEST(Decision, EgressIsDecidedByEgressRules) {
  Model model = cluster();
  model.policies[k_a] = {
      .key = k_a, .applies_egress = true, .ingress = {deny()}, .egress = {allow()}};
  const WorkloadEndpoint& client = *endpoint_of(model, ip("10.65.0.1"));
  EXPECT_EQ(text(evaluate(model, client, Direction::egress, k_web)), "allow by default/a rule 0");
  EXPECT_EQ(text(evaluate(model, client, Direction::ingress, k_web)), "deny by default/a rule 0");
}

TEST(Decision, AnEndpointThatIsDownPassesNothing) {
  Model model = cluster();
  WorkloadEndpoint& server = model.workloads.at({"node-a", "k8s", "shop/server", "eth0"});
  server.profiles = {std::string(k_default_allow_profile)};
  EXPECT_EQ(text(evaluate(model, server, Direction::ingress, k_web)),
            "allow by profile projectcalico-default-allow rule 0")
      << "the profile that always exists";
  server.admin_up = false;
  EXPECT_EQ(text(evaluate(model, server, Direction::ingress, k_web)),
            "deny as the endpoint is down");
}

TEST(Decision, PolicyFollowsLabelsThatProfilesGive) {
  Model model = cluster();
  model.policies[k_a] = {
      .key = k_a, .selector = selector("pcns.team == 'web'"), .ingress = {allow()}};
  const WorkloadEndpoint& server = *endpoint_of(model, ip("10.65.0.2"));
  EXPECT_EQ(text(evaluate(model, server, Direction::ingress, k_web)), "allow by default/a rule 0");
}

TEST(Trace, ListsEveryRuleLookedAtInOrder) {
  Model model = cluster();
  model.policies[k_a] = ingress_policy(k_a, 1, {});
  model.policies[k_b] = ingress_policy(k_b, 2, {elsewhere(Action::deny), log(), pass()});
  WorkloadEndpoint& server = model.workloads.at({"node-a", "k8s", "shop/server", "eth0"});
  server.profiles = {"open"};
  model.profiles["open"] = k_open;

  std::vector<Step> trace;
  evaluate(model, server, Direction::ingress, k_web, &trace);
  std::vector<std::string> steps;
  for (const Step& step : trace)
    steps.push_back((step.policy ? step.tier + "/" + step.policy->id() : step.profile) +
                    (step.rule ? " " + std::to_string(*step.rule) : "") +
                    (step.matched ? " matched" : "") +
                    (step.mismatch.empty() ? "" : " but " + step.mismatch));
  const std::vector<std::string> expected = {"default/a", "default/b 0 but protocol",
                                             "default/b 1 matched", "default/b 2 matched",
                                             "open 0 matched"};
  EXPECT_EQ(steps, expected);
}

TEST(Evaluator, AnswersForAnEndpointThatIsNotTheModels) {
  Model model = cluster();
  model.policies[k_a] = ingress_policy(k_a, 1, {allow()});
  model.policies[k_a].selector = selector("app == 'changed'");
  const Evaluator evaluator(model);
  const WorkloadEndpoint& server = *evaluator.endpoint_of(ip("10.65.0.2"));
  WorkloadEndpoint changed = server;
  changed.labels["app"] = "changed";
  const auto verdict = [&](const WorkloadEndpoint& endpoint) {
    return evaluator.evaluate(endpoint, Direction::ingress, k_web).verdict;
  };
  EXPECT_EQ(verdict(changed), Verdict::allow);
  EXPECT_EQ(verdict(server), Verdict::deny);
  EXPECT_EQ(verdict(changed), Verdict::allow);
}

}  // namespace
}  // namespace margay::policy
