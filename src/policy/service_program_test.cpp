#include "policy/service_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace margay::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

IPAddress ip(const char* text) { return *IPAddress::parse(text); }

Service service() {
  return {.key = {"shop", "web"},
          .created = {},
          .cluster_ips = {ip("10.96.0.1")},
          .external_ips = {},
          .load_balancer_ips = {},
          .ports = {{"http", k_tcp, 80, 0}},
          .client_affinity = {},
          .source_ranges = {}};
}

// A backend as cases tell it: its last number, where it is, and how it is.
struct State {
  int number;
  const char* node = "node-a";
  std::vector<std::string> zones = {};
  bool ready = true;
  bool serving = true;
  bool terminating = false;
};

EndpointSlice slice_of(const std::vector<State>& states) {
  EndpointSlice slice{.key = {"shop", "one"},
                      .service = {"shop", "web"},
                      .ports = {{"http", k_tcp, 8080}},
                      .backends = {}};
  for (const State& state : states)
    slice.backends.push_back({.address = ip("10.0.0.0").plus(static_cast<uint64_t>(state.number)),
                              .node = state.node,
                              .for_zones = state.zones,
                              .ready = state.ready,
                              .serving = state.serving,
                              .terminating = state.terminating});
  return slice;
}

std::vector<int> numbers(const std::vector<ProgramBackend>& backends) {
  std::vector<int> found;
  for (const ProgramBackend& backend : backends) found.push_back(backend.address.bytes()[3]);
  return found;
}

TEST(ServiceProgram, ChoosesTheBackendsThatANodeMayUse) {
  struct Case {
    const char* name;
    std::vector<State> states;
    bool prefers_zone;
    const char* zone;
    std::vector<int> everywhere, local;
  };
  const State ending{.number = 3, .ready = false, .terminating = true};
  const State ending_elsewhere{.number = 4, .node = "node-b", .ready = false, .terminating = true};
  const std::vector<Case> cases = {
      {"none", {}, false, "", {}, {}},
      {"those that are ready",
       {{1}, {2, "node-b"}, {5, "node-a", {}, false}},
       false,
       "",
       {1, 2},
       {1}},
      {"an unknown node is not this one", {{1, ""}}, false, "", {1}, {}},
      {"those that end while they serve, when none is ready",
       {ending, ending_elsewhere},
       false,
       "",
       {3, 4},
       {3}},
      {"locally too, though others are ready", {ending, {2, "node-b"}}, false, "", {2}, {3}},
      {"none that neither is ready nor serves",
       {{.number = 1, .ready = false, .serving = false, .terminating = true}},
       false,
       "",
       {},
       {}},
      {"those for the zone",
       {{1, "node-a", {"a"}}, {2, "node-b", {"b"}}, {6, "node-c", {"a", "b"}}},
       true,
       "a",
       {1, 6},
       {1}},
      {"all, when the service does not ask for it",
       {{1, "node-a", {"a"}}, {2, "node-b", {"b"}}},
       false,
       "a",
       {1, 2},
       {1}},
      {"all, when the node's zone is not known",
       {{1, "node-a", {"a"}}, {2, "node-b", {"b"}}},
       true,
       "",
       {1, 2},
       {1}},
      {"all, when one has no hint", {{1, "node-a", {"a"}}, {2, "node-b"}}, true, "a", {1, 2}, {1}},
      {"all, when none is for the zone", {{1, "node-a", {"b"}}}, true, "a", {1}, {1}},
  };
  for (const auto& [name, states, prefers_zone, zone, everywhere, local] : cases) {
    Service given = service();
    given.prefers_zone = prefers_zone;
    const EndpointSlice slice = slice_of(states);
    const auto program = program_of(given, {&slice}, {.node = "node-a", .zone = zone});
    ASSERT_EQ(program.ports.size(), 1U);
    EXPECT_EQ(numbers(program.ports[0].backends), everywhere) << name;
    EXPECT_EQ(numbers(program.ports[0].local_backends), local) << name;
  }
}

TEST(ServiceProgram, CountsAnEndpointOfTwoSlicesOnce) {
  const EndpointSlice one = slice_of({{1}}), two = slice_of({{1}, {2}});
  const auto program = program_of(service(), {&one, &two}, {.node = "node-a", .zone = {}});
  EXPECT_THAT(program.ports.at(0).backends,
              ElementsAre(ProgramBackend{ip("10.0.0.1"), 8080, true},
                          ProgramBackend{ip("10.0.0.2"), 8080, true}));
}

TEST(ServiceProgram, BackendsServeThePortOfTheirNameAndProtocol) {
  Service given = service();
  given.ports = {{"http", k_tcp, 80, 0}, {"http", k_udp, 80, 0}, {"admin", k_tcp, 81, 0}};
  const EndpointSlice slice = slice_of({{1}});
  const auto program = program_of(given, {&slice}, {.node = "node-a", .zone = {}});
  ASSERT_EQ(program.ports.size(), 3U);
  EXPECT_EQ(program.ports[0].backends.size(), 1U);
  EXPECT_THAT(program.ports[1].backends, IsEmpty());
  EXPECT_THAT(program.ports[2].backends, IsEmpty());
}

TEST(ServiceProgram, AWayThatIsThereTwiceLeadsToTheFirstPort) {
  Service given = service();
  given.external_ips = given.cluster_ips;
  given.ports = {{"http", k_tcp, 80, 30080}, {"admin", k_tcp, 81, 30080}, {"again", k_tcp, 80, 0}};
  const auto program = program_of(given, {}, {.node = "node-a", .zone = {}});
  ASSERT_EQ(program.ports.size(), 2U);
  EXPECT_EQ(program.ports[0].frontends.size(), 2U);
  EXPECT_THAT(program.ports[1].frontends,
              ElementsAre(ProgramFrontend{ProgramFrontend::Kind::cluster_ip, ip("10.96.0.1"), 81}));
}

TEST(ServiceProgram, HasAFrontendForEveryWayToReachIt) {
  using Kind = ProgramFrontend::Kind;
  Service given = service();
  given.cluster_ips.push_back(ip("fd96::1"));
  given.external_ips = {ip("198.51.100.1")};
  given.load_balancer_ips = {ip("198.51.100.2")};
  given.ports[0].node_port = 30080;
  given.external_policy = TrafficPolicy::local;
  const auto program = program_of(given, {}, {.node = "node-a", .zone = {}});
  ASSERT_EQ(program.ports.size(), 2U);
  EXPECT_THAT(program.ports[0].frontends,
              ElementsAre(ProgramFrontend{Kind::cluster_ip, ip("10.96.0.1"), 80, false},
                          ProgramFrontend{Kind::external_ip, ip("198.51.100.1"), 80, true},
                          ProgramFrontend{Kind::load_balancer_ip, ip("198.51.100.2"), 80, true},
                          ProgramFrontend{Kind::node_port, std::nullopt, 30080, true}));
  EXPECT_EQ(program.ports[1].family, IPFamily::v6);
  EXPECT_THAT(program.ports[1].frontends,
              ElementsAre(ProgramFrontend{Kind::cluster_ip, ip("fd96::1"), 80, false},
                          ProgramFrontend{Kind::node_port, std::nullopt, 30080, true}));
}

}  // namespace
}  // namespace margay::policy
