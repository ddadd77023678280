#include "vector/service/service_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "vector/service/testing/service_fixture.h"

namespace margay::vector::testing {
namespace {

using Result = Choice::Result;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class ServiceTableTest : public ::testing::Test {
 protected:
  ServiceTableTest() { rcu_.online(0); }
  ~ServiceTableTest() override { rcu_.offline(0); }

  void set(const ServiceConfig& config) { ASSERT_TRUE(table_.set_service(config).has_value()); }
  Choice choose(const FlowTuple& each) { return table_.choose(each, now_ms_, &worker_); }
  Result result(const FlowTuple& each) { return choose(each).result; }

  // The backends that 256 flows of different clients come to.
  std::set<std::string> reached(const std::string& service = "10.96.0.1") {
    std::set<std::string> addresses;
    for (int i = 0; i < 256; ++i) {
      const auto client = service.find(':') == std::string::npos ? "172.16.0." : "fd01::";
      const auto choice = choose(flow(client + std::to_string(i), 1000, service, 80));
      if (choice.result != Result::chosen) continue;
      const size_t length = service.find(':') == std::string::npos ? 4 : 16;
      addresses.insert(base::IPAddress::from_bytes({choice.address.data(), length})->to_string());
    }
    return addresses;
  }

  ServiceConfig web_ = {.name = "web",
                        .age = 5,
                        .frontends = {tcp("10.96.0.1", 80)},
                        .backends = {ready("10.0.0.1"), ready("10.0.0.2")}};
  // Room enough that none of 256 clients is forgotten for want of it, whatever the seed.
  ServiceLimits limits_{.services = 8, .backends = 64, .frontends = 16, .affinity_clients = 8192};
  Rcu rcu_{1};
  ServiceWorker worker_{limits_, 1};
  ServiceTable table_{&rcu_, limits_, {&worker_}};
  uint64_t now_ms_ = 1'000'000;
};

TEST_F(ServiceTableTest, ANewFlowGoesToABackend) {
  web_.frontends[0].masquerade = true;
  web_.backends = {ready("10.0.0.1", 8443)};
  set(web_);
  const auto choice = choose(flow("172.16.0.1", 1000, "10.96.0.1", 80));
  EXPECT_EQ(choice.result, Result::chosen);
  EXPECT_EQ(choice.address, address_bytes(ip("10.0.0.1")));
  EXPECT_EQ(choice.port, 8443);
  EXPECT_TRUE(choice.masquerade);
  EXPECT_TRUE(table_.is_alive(choice.backend));
}

TEST_F(ServiceTableTest, WhatIsDroppedHasAReason) {
  web_.frontends.push_back(tcp("10.96.0.2", 80));
  web_.frontends[1].restricted = true;
  web_.source_ranges = {*base::Prefix::parse("192.0.2.0/24")};
  set(web_);
  set({.name = "empty", .frontends = {tcp("10.96.0.3", 80)}});

  struct Case {
    const char* what;
    FlowTuple flow;
    Result result;
    DropReason reason;
  };
  const Case cases[] = {
      {"not an address of a service", flow("172.16.0.1", 1, "10.96.0.9", 80), Result::not_a_service,
       DropReason::none},
      {"a port that it has", flow("172.16.0.1", 1, "10.96.0.1", 80), Result::chosen,
       DropReason::none},
      {"another port", flow("172.16.0.1", 1, "10.96.0.1", 81), Result::no_port,
       DropReason::service_no_port},
      {"another protocol", flow("172.16.0.1", 1, "10.96.0.1", 80, 17), Result::no_port,
       DropReason::service_no_port},
      {"an ICMP echo", flow("172.16.0.1", 7, "10.96.0.1", 7, 1), Result::no_port,
       DropReason::service_no_port},
      {"the record of the address itself is not a frontend",
       flow("172.16.0.1", 0, "10.96.0.1", 0, 0), Result::no_port, DropReason::service_no_port},
      {"the same bytes in the other family", flow("fd01::1", 1, "a60:1::", 80),
       Result::not_a_service, DropReason::none},
      {"outside the source ranges", flow("172.16.0.1", 1, "10.96.0.2", 80), Result::not_allowed,
       DropReason::service_source_not_allowed},
      {"inside", flow("192.0.2.1", 1, "10.96.0.2", 80), Result::chosen, DropReason::none},
      {"nobody serves it", flow("172.16.0.1", 1, "10.96.0.3", 80), Result::no_backend,
       DropReason::service_no_backend}};
  for (const auto& each : cases) {
    EXPECT_EQ(result(each.flow), each.result) << each.what;
    EXPECT_EQ(drop_reason(each.result), each.reason) << each.what;
  }
}

TEST_F(ServiceTableTest, ARestrictedFrontendWithoutRangesIsForNobody) {
  web_.frontends[0].restricted = true;
  set(web_);
  EXPECT_EQ(result(flow("172.16.0.1", 1, "10.96.0.1", 80)), Result::not_allowed);
}

TEST_F(ServiceTableTest, OtherPortsOfASharedAddressAreNotOurs) {
  web_.frontends = {tcp("192.0.2.1", 30080)};
  web_.frontends[0].shared_address = true;
  set(web_);
  EXPECT_EQ(result(flow("172.16.0.1", 1, "192.0.2.1", 30080)), Result::chosen);
  EXPECT_EQ(result(flow("172.16.0.1", 1, "192.0.2.1", 22)), Result::not_a_service);
  // An external address that is the node's as well.
  set({.name = "external", .frontends = {tcp("192.0.2.1", 443)}});
  EXPECT_EQ(result(flow("172.16.0.1", 1, "192.0.2.1", 22)), Result::not_a_service);
  table_.remove_service("web");
  EXPECT_EQ(result(flow("172.16.0.1", 1, "192.0.2.1", 22)), Result::no_port);
}

TEST_F(ServiceTableTest, NothingRemainsOfAServiceThatIsRemoved) {
  set(web_);
  const auto choice = choose(flow("172.16.0.1", 1, "10.96.0.1", 80));
  EXPECT_TRUE(table_.remove_service("web"));
  EXPECT_FALSE(table_.remove_service("web"));
  EXPECT_EQ(result(flow("172.16.0.1", 1, "10.96.0.1", 80)), Result::not_a_service);
  EXPECT_FALSE(table_.is_alive(choice.backend));
}

TEST_F(ServiceTableTest, FlowsGoToWhatIsReadyAndElseToWhatDrains) {
  struct Case {
    const char* what;
    std::vector<std::pair<bool, bool>> ready_and_draining;  // of 10.0.0.1, .2, .3
    std::set<std::string> reached;
  };
  const Case cases[] = {
      {"all ready", {{1, 0}, {1, 0}, {1, 0}}, {"10.0.0.1", "10.0.0.2", "10.0.0.3"}},
      {"one drains", {{1, 0}, {0, 1}, {1, 0}}, {"10.0.0.1", "10.0.0.3"}},
      {"one is neither", {{1, 0}, {0, 0}, {1, 0}}, {"10.0.0.1", "10.0.0.3"}},
      {"none ready, two drain", {{0, 1}, {0, 0}, {0, 1}}, {"10.0.0.1", "10.0.0.3"}},
      {"none ready, none drains", {{0, 0}, {0, 0}, {0, 0}}, {}}};
  for (const auto& each : cases) {
    web_.backends = {ready("10.0.0.1"), ready("10.0.0.2"), ready("10.0.0.3")};
    for (size_t i = 0; i < 3; ++i)
      std::tie(web_.backends[i].ready, web_.backends[i].draining) = each.ready_and_draining[i];
    set(web_);
    EXPECT_EQ(reached(), each.reached) << each.what;
  }
}

TEST_F(ServiceTableTest, ADrainingBackendKeepsItsSessions) {
  set(web_);
  const auto choice = choose(flow("172.16.0.1", 1, "10.96.0.1", 80));
  for (auto& each : web_.backends)
    if (address_bytes(each.identity.address) == choice.address)
      each = {.identity = each.identity, .draining = true};
  set(web_);
  EXPECT_TRUE(table_.is_alive(choice.backend));
  std::erase_if(web_.backends, [](const auto& each) { return each.draining; });
  set(web_);
  EXPECT_FALSE(table_.is_alive(choice.backend)) << "it is gone";
}

TEST_F(ServiceTableTest, ASessionDoesNotTakeABackendsSuccessorForIt) {
  web_.backends = {ready("10.0.0.1")};
  set(web_);
  const auto first = choose(flow("172.16.0.1", 1, "10.96.0.1", 80)).backend;
  std::set<uint32_t> indices, numbers;
  for (int i = 0; i < 300; ++i) {
    web_.backends = {ready(i % 2 == 0 ? "10.0.0.2" : "10.0.0.3")};
    set(web_);
    rcu_.quiescent(0);
    const auto number = choose(flow("172.16.0.1", 1, "10.96.0.1", 80)).backend;
    indices.insert(backend_index(number));
    EXPECT_TRUE(numbers.insert(number).second);
    EXPECT_FALSE(table_.is_alive(first));
  }
  EXPECT_LT(indices.size(), 8U) << "indices are used again";
  EXPECT_FALSE(table_.is_alive(0)) << "0 is no backend's number";
}

TEST_F(ServiceTableTest, LocalOnlyIsOfTheFrontend) {
  web_.frontends.push_back(tcp("192.0.2.1", 80));
  web_.frontends[1].local_only = true;
  web_.backends[1].local = true;
  set(web_);
  EXPECT_THAT(reached("10.96.0.1"), UnorderedElementsAre("10.0.0.1", "10.0.0.2"));
  EXPECT_THAT(reached("192.0.2.1"), ElementsAre("10.0.0.2"));
  web_.backends.pop_back();
  set(web_);
  EXPECT_EQ(result(flow("172.16.0.1", 1, "192.0.2.1", 80)), Result::no_backend);
}

TEST_F(ServiceTableTest, EachFamilyHasItsBackends) {
  web_.frontends.push_back(tcp("fd96::1", 80));
  web_.backends.push_back(ready("fd00::1"));
  set(web_);
  EXPECT_THAT(reached("10.96.0.1"), UnorderedElementsAre("10.0.0.1", "10.0.0.2"));
  EXPECT_THAT(reached("fd96::1"), ElementsAre("fd00::1"));
}

TEST_F(ServiceTableTest, OfTwoThatClaimAFrontendTheOlderHasIt) {
  ServiceConfig other = web_;
  other.name = "other";
  other.age = 7;
  other.backends = {ready("10.0.0.9")};
  const auto web = UnorderedElementsAre("10.0.0.1", "10.0.0.2");

  set(other);
  EXPECT_THAT(reached(), ElementsAre("10.0.0.9"));
  set(web_);
  EXPECT_THAT(reached(), web) << "an older one came";
  web_.frontends[0].port = 81;
  set(web_);
  EXPECT_THAT(reached(), ElementsAre("10.0.0.9")) << "the owner gave it up";
  web_.frontends[0].port = 80;
  set(web_);
  EXPECT_THAT(reached(), web);
  table_.remove_service("web");
  EXPECT_THAT(reached(), ElementsAre("10.0.0.9")) << "the owner went";
  web_.age = other.age;
  set(web_);
  EXPECT_THAT(reached(), ElementsAre("10.0.0.9")) << "of the same age: by name";
  web_.backends.clear();
  other.age = 9;
  set(web_);
  set(other);
  EXPECT_THAT(reached(), ElementsAre()) << "it does not help an owner out";
}

TEST_F(ServiceTableTest, NothingOfTheFirstOwnerRemains) {
  web_.affinity_seconds = 60;
  web_.frontends[0].masquerade = true;
  set(web_);
  ServiceConfig other{.name = "other", .age = 9, .frontends = {tcp("10.96.0.1", 80)}};
  other.backends = {ready("10.0.0.1"), ready("10.0.0.2"), ready("10.0.0.3")};
  set(other);
  reached();
  table_.remove_service("web");
  EXPECT_EQ(reached().size(), 3U) << "clients bound by the first are not bound by the second";
  EXPECT_FALSE(choose(flow("172.16.0.1", 1, "10.96.0.1", 80)).masquerade);
}

TEST_F(ServiceTableTest, AClientKeepsItsBackendUntilItsTimeIsUp) {
  web_.affinity_seconds = 10;
  web_.backends = {ready("10.0.0.1")};
  set(web_);
  reached();
  web_.backends.push_back(ready("10.0.0.2"));
  set(web_);
  EXPECT_THAT(reached(), ElementsAre("10.0.0.1"));
  now_ms_ += 9'999;
  EXPECT_THAT(reached(), ElementsAre("10.0.0.1"));
  now_ms_ += 9'999;
  EXPECT_THAT(reached(), ElementsAre("10.0.0.1")) << "each new flow starts the time anew";
  now_ms_ += 10'000;
  EXPECT_THAT(reached(), UnorderedElementsAre("10.0.0.1", "10.0.0.2"));
}

TEST_F(ServiceTableTest, ABackendThatIsGoneOrDrainsBindsNobody) {
  web_.affinity_seconds = 10;
  web_.backends = {ready("10.0.0.1")};
  set(web_);
  reached();
  web_.backends = {ready("10.0.0.1"), ready("10.0.0.2")};
  web_.backends[0] = {.identity = web_.backends[0].identity, .draining = true};
  set(web_);
  EXPECT_THAT(reached(), ElementsAre("10.0.0.2"));
  web_.backends = {ready("10.0.0.3")};
  set(web_);
  EXPECT_THAT(reached(), ElementsAre("10.0.0.3"));
}

TEST_F(ServiceTableTest, AffinityIsOneForAllFrontendsOfAService) {
  web_.affinity_seconds = 10;
  web_.frontends.push_back(tcp("192.0.2.1", 80));
  web_.backends = {ready("10.0.0.1")};
  set(web_);
  reached("10.96.0.1");
  web_.backends.push_back(ready("10.0.0.2"));
  set(web_);
  EXPECT_THAT(reached("192.0.2.1"), ElementsAre("10.0.0.1"));
}

TEST_F(ServiceTableTest, AffinityEndsWhenTheServiceNoLongerWantsIt) {
  web_.affinity_seconds = 10;
  web_.backends = {ready("10.0.0.1")};
  set(web_);
  reached();
  web_.backends.push_back(ready("10.0.0.2"));
  web_.affinity_seconds = 0;
  set(web_);
  EXPECT_EQ(reached().size(), 2U);
  web_.affinity_seconds = 10;
  set(web_);
  EXPECT_EQ(reached().size(), 2U) << "what was known before is forgotten";
}

// An ECMP router moved the client to a node that knows nothing of it; or the table was full.
TEST_F(ServiceTableTest, AClientNobodyRemembersComesToTheSameBackendOnEveryNode) {
  web_.affinity_seconds = 10;
  set(web_);
  ServiceWorker stranger(limits_, 1);
  for (int i = 0; i < 200; ++i) {
    const auto client = "172.16.0." + std::to_string(i);
    const auto here = choose(flow(client, 1000, "10.96.0.1", 80));
    const auto there = table_.choose(flow(client, 2000, "10.96.0.1", 80), now_ms_, &stranger);
    EXPECT_EQ(here.address, there.address) << client;
  }
}

TEST_F(ServiceTableTest, ChoicesAreTheSameWhateverTheOrderOfEvents) {
  std::vector<Backend> all;
  for (int i = 1; i <= 9; ++i) all.push_back(ready("10.0.0." + std::to_string(i)));
  std::vector<FlowTuple> flows;
  // So many that they come to most of the few slots that another order of turns would change.
  flows.reserve(8192);
  for (uint16_t port = 0; port < 8192; ++port)
    flows.push_back(flow("172.16.0.1", port, "10.96.0.1", 80));
  web_.backends = all;
  set(web_);
  std::vector<Choice> expected(flows.size()), choices(flows.size());
  table_.choose(flows, now_ms_, &worker_, expected);

  std::mt19937_64 random(1);
  for (int order = 0; order < 1000; ++order) {
    if (random() % 4 == 0) table_.remove_service("web");
    std::ranges::shuffle(all, random);
    // Some come later, and something else was there before.
    web_.backends.assign(all.begin(), all.begin() + static_cast<ptrdiff_t>(1 + random() % 3));
    web_.backends.push_back(ready("10.0.1.1"));
    set(web_);
    web_.backends = all;
    set(web_);
    rcu_.quiescent(0);
    table_.choose(flows, now_ms_, &worker_, choices);
    for (size_t i = 0; i < flows.size(); ++i)
      ASSERT_EQ(choices[i].address, expected[i].address) << "order " << order;
  }
}

TEST_F(ServiceTableTest, ServicesOfTheSameBackendsShareATable) {
  set(web_);
  auto other = web_;
  other.name = "other";
  other.frontends = {tcp("10.96.0.2", 80)};
  set(other);
  EXPECT_EQ(table_.maglev_tables().tables_built(), 1U);
  other.backends[0].draining = true;  // still ready: nothing to choose from has changed
  set(other);
  EXPECT_EQ(table_.maglev_tables().tables_built(), 1U);
}

TEST_F(ServiceTableTest, FlowsAndRefusalsAreCounted) {
  web_.backends = {ready("10.0.0.1")};
  set(web_);
  choose(flow("172.16.0.1", 1, "10.96.0.1", 80));
  const auto listed = table_.list();
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].counts, ServiceCounts{.flows = 1});
  EXPECT_EQ(listed[0].backends[0].counts, listed[0].counts);

  web_.backends = {ready("10.0.0.2")};
  set(web_);
  EXPECT_EQ(table_.list()[0].counts.flows, 1U) << "the service is the same";
  EXPECT_EQ(table_.list()[0].backends[0].counts, ServiceCounts{}) << "the backend is not";

  web_.backends = {};
  set(web_);
  choose(flow("172.16.0.1", 1, "10.96.0.1", 80));
  EXPECT_EQ(table_.list()[0].counts.refused, 1U);
}

TEST_F(ServiceTableTest, CountsOfAnIndexStartAnewWithItsNextUser) {
  for (int i = 0; i < 100; ++i) {
    set(web_);
    rcu_.quiescent(0);
    const auto listed = table_.list();
    EXPECT_EQ(listed[0].counts, ServiceCounts{});
    for (const auto& each : listed[0].backends) EXPECT_EQ(each.counts, ServiceCounts{});
    reached();
    table_.remove_service("web");
  }
}

TEST_F(ServiceTableTest, TheListSaysWhoHasAFrontend) {
  auto other = web_;
  other.name = "other";
  other.age = 9;
  set(web_);
  set(other);
  const auto listed = table_.list();
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed[0].name, "other");
  EXPECT_FALSE(listed[0].frontends[0].second);
  EXPECT_TRUE(listed[1].frontends[0].second);
}

TEST_F(ServiceTableTest, WhatBreaksARuleIsRefusedAndChangesNothing) {
  set(web_);
  struct Case {
    const char* message;
    void (*break_it)(ServiceConfig*);
  };
  const Case cases[] = {
      {"name: Required", [](ServiceConfig* c) { c->name.clear(); }},
      {"frontends[0].port: Invalid", [](ServiceConfig* c) { c->frontends[0].port = 0; }},
      {"frontends[0].protocol: Unsupported",
       [](ServiceConfig* c) { c->frontends[0].protocol = 1; }},
      {"frontends[1]: Duplicate",
       [](ServiceConfig* c) { c->frontends.push_back(c->frontends[0]); }},
      {"backends[1].port: Invalid", [](ServiceConfig* c) { c->backends[1].identity.port = 0; }},
      {"there is room for 64 backends, and it would make 65",
       [](ServiceConfig* c) {
         c->backends.clear();
         for (int i = 0; i < 65; ++i) c->backends.push_back(ready("10.0.1." + std::to_string(i)));
       }},
      {"there is room for 16 frontends, and it would make 17", [](ServiceConfig* c) {
         c->frontends.clear();
         for (int i = 0; i < 17; ++i)
           c->frontends.push_back(tcp("10.96.1." + std::to_string(i), 80));
       }}};
  for (const auto& each : cases) {
    auto config = web_;
    each.break_it(&config);
    const auto refused = table_.set_service(config);
    ASSERT_FALSE(refused.has_value()) << each.message;
    EXPECT_THAT(refused.error().message, ::testing::HasSubstr(each.message));
    EXPECT_EQ(reached().size(), 2U);
    EXPECT_EQ(result(flow("172.16.0.1", 1, "10.96.1.1", 80)), Result::not_a_service);
  }
}

TEST_F(ServiceTableTest, TheLimitsHoldAndLeaveRoomForEveryChange) {
  for (int i = 0; i < 8; ++i)
    set({.name = std::to_string(i), .frontends = {tcp("10.96.1." + std::to_string(i), 80)}});
  EXPECT_FALSE(table_.set_service(web_).has_value());
  table_.remove_service("0");
  for (int i = 0; i < 9; ++i)
    web_.frontends.push_back(tcp("10.96.0.1", static_cast<uint16_t>(100 + i)));
  while (web_.frontends.size() > 9) web_.frontends.pop_back();
  web_.backends.clear();
  for (int i = 0; i < 64; ++i) web_.backends.push_back(ready("10.0.1." + std::to_string(i)));
  for (int i = 0; i < 200; ++i) {
    for (auto& each : web_.backends) each.identity.port = static_cast<uint16_t>(1 + i);
    for (auto& each : web_.frontends) each.address = ip("10.96.2." + std::to_string(i % 7));
    rcu_.quiescent(0);
    set(web_);
  }
  EXPECT_FALSE(reached("10.96.2." + std::to_string(199 % 7)).empty());
}

}  // namespace
}  // namespace margay::vector::testing
