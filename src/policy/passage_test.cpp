// Who is asked on a packet's way through a node, in which order, and what skips what
// (docs/policy.md, "Host endpoints").

#include "policy/passage.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <ostream>

#include "policy/evaluate_cluster.h"

namespace margay::policy {
namespace {

using namespace testing;

// node-a has eth0 and eth1, and the workloads of `cluster()`.
const HostInterface k_eth0{"eth0", {ip("192.0.2.1")}};
const HostInterface k_eth1{"eth1", {ip("198.51.100.9")}};

// A policy of one kind that does one thing in both directions: "untracked eth0 allow".
struct Given {
  const char* kind;  // untracked, pre_dnat, forward, normal
  const char* on;    // the host endpoint's name
  Action action;
};

Policy policy_of(const Given& given) {
  const std::string kind = given.kind;
  Policy policy{.key = {"default", "", kind + "-" + given.on},
                .selector = *Selector::parse(fmt::format("name == '{}'", given.on)),
                .applies_ingress = true,
                .applies_egress = true,
                .ingress = {{.action = given.action}},
                .egress = {{.action = given.action}}};
  policy.do_not_track = kind == "untracked";
  policy.pre_dnat = kind == "pre_dnat";
  policy.apply_on_forward = kind != "normal";
  return policy;
}

struct Way {
  bool in = false, from = false, out = false, to = false;
  bool node_port = false;  // it was sent to a port of the host's own
  uint16_t port = 8080;
  HostTrafficSettings::FromWorkload from_workload =
      HostTrafficSettings::FromWorkload::return_to_host;
};
constexpr Way k_in_to_host{.in = true};
constexpr Way k_in_out{.in = true, .out = true};
constexpr Way k_in_to_workload{.in = true, .to = true};
constexpr Way k_host_out{.out = true};
constexpr Way k_workload_out{.from = true, .out = true};
constexpr Way k_workload_to_host{.from = true};
constexpr Way k_host_to_workload{.to = true};
constexpr Way k_node_port{.in = true, .to = true, .node_port = true};

Way with_port(Way way, uint16_t port) {
  way.port = port;
  return way;
}
Way with(Way way, HostTrafficSettings::FromWorkload action) {
  way.from_workload = action;
  return way;
}

struct Case {
  const char* name;
  std::vector<const char*> endpoints;  // eth0, eth1, all
  std::vector<Given> policies;
  Way way;
  const char* asked;  // "stage direction interface verdict", ...: the verdict
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

Model model_of(const Case& c) {
  Model model = cluster();
  model.host_endpoints.clear();
  model.profiles["kns.shop"].ingress = model.profiles["kns.shop"].egress = {{}};
  for (auto& [key, workload] : model.workloads) workload.interface_name = "cali1";
  for (const std::string name : c.endpoints)
    model.host_endpoints[{"node-a", name}] = {.key = {"node-a", name},
                                              .interface_name = name == "all" ? "*" : name,
                                              .labels = {{"name", name}}};
  for (const Given& given : c.policies) {
    const auto policy = policy_of(given);
    model.policies[policy.key] = policy;
  }
  return model;
}

Passage passage_of(const Model& model, const Way& way) {
  const auto& client = model.workloads.at({"node-a", "k8s", "shop/client", "eth0"});
  const auto& server = model.workloads.at({"node-a", "k8s", "shop/server", "eth0"});
  const char* source = way.from ? "10.65.0.1" : way.in ? "203.0.113.1" : "192.0.2.1";
  const char* destination = way.to ? "10.65.0.2" : way.out ? "203.0.113.9" : "192.0.2.1";
  Passage passage{.node = "node-a", .packet = tcp(source, destination, way.port)};
  if (way.node_port)
    passage.original = {.destination = ip("192.0.2.1"), .port = 30080, .is_the_hosts = true};
  if (way.in) passage.in = k_eth0;
  if (way.out) passage.out = way.in ? k_eth1 : k_eth0;
  if (way.from) passage.from = &client;
  if (way.to) passage.to = &server;
  return passage;
}

std::string text(const HostDecision& said) {
  constexpr std::array k_stages{"untracked", "pre_dnat", "forward", "normal"};
  return fmt::format("{} {} {} {}",
                     said.stage ? k_stages[static_cast<size_t>(*said.stage)] : "failsafe",
                     said.direction == Direction::ingress ? "in" : "out", said.interface,
                     !said.decision || said.decision->verdict == Verdict::allow ? "allow" : "deny");
}

std::string text(const PassageDecision& decision) {
  std::string out;
  for (const auto& said : decision.host) out += text(said) + ", ";
  if (decision.egress) out += "egress, ";
  if (decision.ingress) out += "ingress, ";
  if (decision.dropped_for_the_host) out += "not for the host, ";
  return out + (decision.verdict == Verdict::allow ? "allow" : "deny");
}

class Passages : public ::testing::TestWithParam<Case> {};

TEST_P(Passages, AskInOrder) {
  const Case& c = GetParam();
  const Model model = model_of(c);
  const HostTrafficSettings settings{.from_workload = c.way.from_workload};
  EXPECT_EQ(text(judge(Evaluator(model), model, settings, passage_of(model, c.way))), c.asked);
}

constexpr auto k_allow = Action::allow;
constexpr auto k_deny = Action::deny;
constexpr auto k_log = Action::log;  // decides nothing
using FromWorkload = HostTrafficSettings::FromWorkload;

INSTANTIATE_TEST_SUITE_P(
    Cases, Passages,
    ::testing::Values(Case{"nobody governs", {}, {}, k_in_to_host, "allow"},
                      Case{"without policies a governed host is closed",
                           {"eth0"},
                           {},
                           k_in_to_host,
                           "normal in eth0 deny, deny"},
                      Case{"but for its failsafes",
                           {"eth0"},
                           {},
                           with_port(k_in_to_host, 22),
                           "failsafe in eth0 allow, allow"},
                      Case{"a failsafe passes every stage",
                           {"eth0"},
                           {{"untracked", "eth0", k_deny}, {"pre_dnat", "eth0", k_deny}},
                           with_port(k_in_to_host, 22),
                           "failsafe in eth0 allow, allow"},
                      Case{"what is forwarded has no failsafe",
                           {"eth0"},
                           {{"untracked", "eth0", k_deny}},
                           with_port(k_in_out, 22),
                           "untracked in eth0 deny, deny"},
                      Case{"failsafes of the way out",
                           {"eth0"},
                           {{"untracked", "eth0", k_deny}},
                           with_port(k_host_out, 179),
                           "failsafe out eth0 allow, allow"},
                      Case{"the three stages in order",
                           {"eth0"},
                           {{"untracked", "eth0", k_log},
                            {"pre_dnat", "eth0", k_log},
                            {"normal", "eth0", k_allow}},
                           k_in_to_host,
                           "normal in eth0 allow, allow"},
                      Case{"doNotTrack skips preDNAT and normal",
                           {"eth0"},
                           {{"untracked", "eth0", k_allow},
                            {"pre_dnat", "eth0", k_deny},
                            {"normal", "eth0", k_deny}},
                           k_in_to_host,
                           "untracked in eth0 allow, allow"},
                      Case{"preDNAT skips normal",
                           {"eth0"},
                           {{"pre_dnat", "eth0", k_allow}, {"normal", "eth0", k_deny}},
                           k_in_to_host,
                           "pre_dnat in eth0 allow, allow"},
                      Case{"preDNAT denies",
                           {"eth0"},
                           {{"pre_dnat", "eth0", k_deny}},
                           k_in_to_host,
                           "pre_dnat in eth0 deny, deny"},
                      Case{"forwarded traffic passes where nothing is for it",
                           {"eth0", "eth1"},
                           {{"normal", "eth0", k_deny}, {"normal", "eth1", k_deny}},
                           k_in_out,
                           "allow"},
                      Case{"both ends of a forwarded packet",
                           {"eth0", "eth1"},
                           {{"forward", "eth0", k_allow}, {"forward", "eth1", k_deny}},
                           k_in_out,
                           "forward in eth0 allow, forward out eth1 deny, deny"},
                      Case{"after a denial nobody is asked",
                           {"eth0", "eth1"},
                           {{"forward", "eth0", k_deny}, {"forward", "eth1", k_deny}},
                           k_in_out,
                           "forward in eth0 deny, deny"},
                      Case{"doNotTrack does not skip the way out",
                           {"eth0", "eth1"},
                           {{"untracked", "eth0", k_allow},
                            {"forward", "eth0", k_deny},
                            {"forward", "eth1", k_deny}},
                           k_in_out,
                           "untracked in eth0 allow, forward out eth1 deny, deny"},
                      Case{"nor has the way out a doNotTrack for forwarded packets",
                           {"eth1"},
                           {{"untracked", "eth1", k_deny}},
                           k_in_out,
                           "allow"},
                      Case{"a workload's policy is never skipped",
                           {"eth0"},
                           {{"untracked", "eth0", k_allow}},
                           k_in_to_workload,
                           "untracked in eth0 allow, ingress, allow"},
                      Case{"a workload behind a closed host",
                           {"eth0"},
                           {{"normal", "eth0", k_deny}},
                           k_in_to_workload,
                           "ingress, allow"},
                      Case{"a node port before its translation",
                           {"eth0"},
                           {{"pre_dnat", "eth0", k_deny}},
                           k_node_port,
                           "pre_dnat in eth0 deny, ingress, deny"},
                      Case{"the host's way out: doNotTrack",
                           {"eth0"},
                           {{"untracked", "eth0", k_allow}, {"normal", "eth0", k_deny}},
                           k_host_out,
                           "untracked out eth0 allow, allow"},
                      Case{"the host's way out has no preDNAT",
                           {"eth0"},
                           {{"pre_dnat", "eth0", k_deny}, {"normal", "eth0", k_allow}},
                           k_host_out,
                           "normal out eth0 allow, allow"},
                      Case{"a workload's way out",
                           {"eth0"},
                           {{"untracked", "eth0", k_deny},
                            {"pre_dnat", "eth0", k_deny},
                            {"forward", "eth0", k_deny}},
                           k_workload_out,
                           "forward out eth0 deny, egress, deny"},
                      Case{"* governs what no other does",
                           {"all", "eth1"},
                           {{"forward", "all", k_allow}, {"forward", "eth1", k_deny}},
                           k_in_out,
                           "forward in eth0 allow, forward out eth1 deny, deny"},
                      Case{"* takes no part in doNotTrack",
                           {"all"},
                           {{"untracked", "all", k_deny}, {"normal", "all", k_allow}},
                           k_in_to_host,
                           "normal in eth0 allow, allow"},
                      Case{"* has a preDNAT",
                           {"all"},
                           {{"pre_dnat", "all", k_deny}},
                           k_in_to_host,
                           "pre_dnat in eth0 deny, deny"},
                      Case{"* stands between workloads and their host",
                           {"all"},
                           {},
                           k_workload_to_host,
                           "normal in cali1 deny, egress, deny"},
                      Case{"with its failsafes",
                           {"all"},
                           {},
                           with_port(k_workload_to_host, 22),
                           "failsafe in cali1 allow, egress, allow"},
                      Case{"others do not", {"eth0"}, {}, k_workload_to_host, "egress, allow"},
                      Case{"defaultEndpointToHostAction Drop",
                           {"all"},
                           {{"normal", "all", k_allow}},
                           with(k_workload_to_host, FromWorkload::drop),
                           "egress, not for the host, deny"},
                      Case{"defaultEndpointToHostAction Accept",
                           {"all"},
                           {},
                           with(k_workload_to_host, FromWorkload::accept),
                           "egress, allow"},
                      Case{"the host's processes reach its workloads",
                           {"all"},
                           {{"forward", "all", k_deny}},
                           k_host_to_workload,
                           "allow"}),
    [](const auto& given) {
      std::string name = given.param.name;
      for (char& c : name)
        if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
      return name;
    });

// A node port that is a failsafe's is spared before the translation; what it leads to is not.
TEST(Passage, AFailsafeIsForWhatWasSentToTheHost) {
  const Case c{"", {"eth0"}, {{"pre_dnat", "eth0", k_deny}, {"forward", "eth0", k_deny}}, {}, ""};
  const Model model = model_of(c);
  auto passage = passage_of(model, k_node_port);
  passage.original->port = 6443;
  EXPECT_EQ(text(judge(Evaluator(model), model, {}, passage)),
            "failsafe in eth0 allow, forward in eth0 deny, ingress, deny");
  passage.original->is_the_hosts = false;
  EXPECT_EQ(text(judge(Evaluator(model), model, {}, passage)),
            "pre_dnat in eth0 deny, ingress, deny");
}

// Each stage goes by what it sees: a failsafe's port that is translated to another is none behind
// it.
TEST(Passage, AFailsafeThatIsTranslatedIsNoneBehindTheTranslation) {
  const Case c{"", {"eth0"}, {{"untracked", "eth0", k_deny}, {"pre_dnat", "eth0", k_deny}}, {}, ""};
  const Model model = model_of(c);
  auto passage = passage_of(model, k_in_to_host);
  passage.original = {.destination = ip("192.0.2.1"), .port = 22, .is_the_hosts = true};
  EXPECT_EQ(text(judge(Evaluator(model), model, {}, passage)),
            "failsafe in eth0 allow, normal in eth0 deny, deny");
  passage = passage_of(model, k_host_out);
  passage.original = {.destination = ip("203.0.113.53"), .port = 179};
  EXPECT_EQ(text(judge(Evaluator(model), model, {}, passage)),
            "failsafe out eth0 allow, normal out eth0 deny, deny");
}

TEST(Passage, DoNotTrackIsNotAskedOfAnAnswerToAFailsafe) {
  const Case c{"", {"eth0"}, {{"untracked", "eth0", k_allow}, {"normal", "eth0", k_deny}}, {}, ""};
  const Model model = model_of(c);
  auto passage = passage_of(model, k_in_to_host);
  EXPECT_EQ(text(judge(Evaluator(model), model, {}, passage)), "untracked in eth0 allow, allow");
  passage.packet.source_port = 6443;
  EXPECT_EQ(text(judge(Evaluator(model), model, {}, passage)), "normal in eth0 deny, deny");
  passage = passage_of(model, k_host_out);
  passage.packet.source_port = 22;
  EXPECT_EQ(text(judge(Evaluator(model), model, {}, passage)), "normal out eth0 deny, deny");
}

// The way out is chosen for the service's address, before it is translated.
TEST(Passage, DoNotTrackGoesByTheInterfaceThatWasChosenFirst) {
  const Case c{
      "",
      {"eth0", "eth1"},
      {{"untracked", "eth0", k_deny}, {"untracked", "eth1", k_allow}, {"normal", "eth1", k_deny}},
      {},
      ""};
  const Model model = model_of(c);
  auto passage = passage_of(model, k_host_out);
  passage.original = {.destination = ip("203.0.113.53"), .port = 80, .out = passage.out};
  EXPECT_EQ(text(judge(Evaluator(model), model, {}, passage)), "untracked out eth0 deny, deny");
  passage.original->out = k_eth1;
  EXPECT_EQ(text(judge(Evaluator(model), model, {}, passage)), "untracked out eth1 allow, allow");
  passage.original->is_the_hosts = true;  // a node port of its own: by the loopback
  EXPECT_EQ(text(judge(Evaluator(model), model, {}, passage)), "normal out eth0 deny, deny");
  passage.original->is_the_hosts = false;
  passage.out = {};
  passage.to = &model.workloads.at({"node-a", "k8s", "shop/server", "eth0"});
  passage.original->out = k_eth0;
  EXPECT_EQ(text(judge(Evaluator(model), model, {}, passage)), "untracked out eth0 deny, deny");
}

struct GovernorCase {
  const char* name;
  std::vector<HostEndpoint> endpoints;
  const char* governor;  // empty: none
};

TEST(Governor, IsTheOneThatNamesTheInterfaceElseOneThatExpectsItsAddress) {
  const auto endpoint = [](const char* name, const char* interface,
                           std::vector<IPAddress> expected = {}, const char* node = "node-a") {
    return HostEndpoint{.key = {node, name},
                        .interface_name = interface,
                        .expected_addresses = std::move(expected)};
  };
  const auto own = ip("192.0.2.1");
  for (const auto& [name, endpoints, governor] :
       {GovernorCase{"none", {}, ""},
        GovernorCase{"by name", {endpoint("a", "", {own}), endpoint("b", "eth0")}, "b"},
        GovernorCase{"the lowest", {endpoint("c", "eth0"), endpoint("b", "eth0")}, "b"},
        GovernorCase{"by address", {endpoint("a", "*"), endpoint("b", "", {own})}, "b"},
        GovernorCase{"a name decides before addresses", {endpoint("a", "eth9", {own})}, ""},
        GovernorCase{"the one for all", {endpoint("a", "*"), endpoint("b", "eth1")}, "a"},
        GovernorCase{"of this node", {endpoint("a", "eth0", {}, "node-b")}, ""}}) {
    Model model;
    for (const auto& each : endpoints) model.host_endpoints[each.key] = each;
    const auto* found = governor_of(model, {}, "node-a", k_eth0);
    EXPECT_EQ(found ? found->key.name : "", governor) << name;
  }
  Model model = cluster();
  model.host_endpoints[{"node-a", "a"}] = endpoint("a", "*");
  const WorkloadInterfaces prefixes{.prefixes = {"tap", "eth"}};
  EXPECT_EQ(governor_of(model, prefixes, "node-a", k_eth0), nullptr) << "a workload's by its name";
  model.workloads.begin()->second.interface_name = "eth0";
  EXPECT_NE(governor_of(model, {}, "node-a", k_eth0), nullptr)
      << "the host's, whatever a workload endpoint says";
}

}  // namespace
}  // namespace margay::policy
