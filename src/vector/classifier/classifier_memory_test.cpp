// What is removed is gone: classes, counters, endpoints and memory, and not before the workers are
// done with it.

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "vector/classifier/classifier_fixture.h"
#include "vector/classifier/random_program.h"

namespace margay::vector {
namespace {

// A grace period, and what then can be freed.
void pass(Fed& fed) {
  fed.rcu.synchronize();
  fed.classifier.reclaim();
}

void remove_all(Fed& fed) {
  const policy::ProgramState state = fed.state;
  for (const auto& [key, workload] : state.workloads) fed.apply(policy::WorkloadRemove{key});
  for (const auto& [key, rules] : state.policies) fed.apply(policy::PolicyRemove{key});
  for (const auto& [name, rules] : state.profiles) fed.apply(policy::ProfileRemove{name});
  for (const auto& [id, set] : state.sets) fed.apply(policy::SetRemove{id});
  fed.commit();
}

TEST(ClassifierMemory, ReturnsToWhereItWas) {
  Fed fed;
  const auto empty = fed.classifier.memory();
  size_t counters = 0;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    RandomProgram program(seed % 2, 20);
    for (const auto& delta : program.first()) fed.apply(delta);
    for (int i = 0; i < 20; ++i) {
      fed.commit();
      fed.apply(program.change(fed.state));
    }
    remove_all(fed);
    for (int i = 0; i < 3; ++i) pass(fed);
    const auto now = fed.classifier.memory();
    EXPECT_EQ(now.lists, empty.lists);
    EXPECT_EQ(now.rules, empty.rules);
    EXPECT_EQ(now.counters, empty.counters);
    EXPECT_EQ(now.endpoints, empty.endpoints);
    EXPECT_EQ(now.address_classes, empty.address_classes);
    EXPECT_EQ(now.port_classes, empty.port_classes);
    EXPECT_EQ(now.icmp_classes, empty.icmp_classes);
    EXPECT_EQ(now.named_port_classes, empty.named_port_classes);
    EXPECT_EQ(now.prefixes, empty.prefixes);
    EXPECT_EQ(now.named_ports, empty.named_ports);
    EXPECT_EQ(now.transitions, empty.transitions);
    EXPECT_EQ(now.retired, empty.retired);
    EXPECT_EQ(now.list_bytes, empty.list_bytes);
    if (seed < 2) counters = fed.classifier.counters().bound();
    EXPECT_LE(fed.classifier.counters().bound(), counters + 20) << "numbers are not given again";
  }
}

// A list with vectors, asked about addresses of more and more combinations of sets.
struct ManyClasses : testing::Test {
  static constexpr size_t k_sets = 90;
  const policy::WorkloadKey pod = RandomProgram::pod(0);
  Fed fed;
  policy::Random random{1};

  ManyClasses() {
    policy::ProgramRules rules;
    for (size_t i = 0; i < k_sets; ++i) {
      fed.apply(policy::SetUpdate{.id = fmt::format("s:{}", i)});
      policy::ProgramRule rule{.action = i % 3 == 0 ? policy::Action::deny : policy::Action::allow,
                               .id = fmt::format("r:{}", i)};
      rule.source.sets = {fmt::format("s:{}", i), fmt::format("s:{}", (i + 1) % k_sets)};
      rules.ingress.push_back(rule);
    }
    fed.apply(policy::PolicyUpdate{{.name = "p"}, std::make_shared<policy::ProgramRules>(rules)});
    fed.apply(policy::WorkloadUpdate{
        {.endpoint = {.key = pod}, .tiers = {{.name = "default", .ingress = {{.name = "p"}}}}}});
    fed.commit();
  }

  // The address moves to sets of its own choice.
  void move(uint32_t address) {
    const policy::SetMember member{.net = policy::Prefix(policy::IPAddress::v4(address))};
    for (size_t i = 0; i < k_sets; ++i) {
      policy::SetDelta delta{.id = fmt::format("s:{}", i)};
      const bool is_in = fed.state.sets.at(delta.id).members.contains(member);
      if (random.chance(50) == is_in) continue;
      (is_in ? delta.removed : delta.added).push_back(member);
      fed.apply(delta);
    }
  }
};

TEST_F(ManyClasses, AListDoesNotGrowWithTheClassesThatItHasSeen) {
  const size_t at_first = fed.classifier.memory().list_bytes;
  size_t most = 0;
  for (uint32_t round = 0; round < 120; ++round) {
    for (uint32_t address = 0; address < 10; ++address) move(address + round % 7);
    fed.commit();
    for (uint32_t address = 0; address < 20; ++address)
      fed.expect_judged_right(pod, policy::Direction::ingress,
                              {.source = policy::IPAddress::v4(address)});
    most = std::max(most, fed.classifier.memory().list_bytes);
  }
  EXPECT_LT(most, at_first + 160'000);
}

TEST_F(ManyClasses, WhatAWorkerReadsStaysAsItIsWhileAListGrows) {
  fed.rcu.online(0);
  const RuleList& list = *fed.classifier.view().snapshot().endpoints[0].ingress;
  const uint64_t* words = list.words.load();
  const auto* classes = static_cast<const uint32_t*>(list.tables[k_source].load());
  const std::array seen = {words[0], words[1], uint64_t{classes[0]}};
  for (uint32_t address = 0; address < 100; ++address) {
    move(address);
    fed.classifier.commit();
    fed.rcu.reclaim();
  }
  ASSERT_NE(list.words.load(), words) << "did not grow";
  ASSERT_NE(list.tables[k_source].load(), classes) << "did not grow";
  const std::array now = {words[0], words[1], uint64_t{classes[0]}};
  EXPECT_EQ(now, seen);
  fed.rcu.offline(0);
}

TEST(ClassifierMemory, AnEndpointsNumberIsGivenAgainWhenNoWorkerSeesIt) {
  Fed fed;
  const auto add = [&](size_t pod) {
    fed.apply(policy::WorkloadUpdate{{.endpoint = {.key = RandomProgram::pod(pod)}}});
    return *fed.classifier.endpoint(RandomProgram::pod(pod));
  };
  const uint32_t first = add(0);
  fed.commit();
  fed.rcu.online(0);
  fed.apply(policy::WorkloadRemove{RandomProgram::pod(0)});
  EXPECT_NE(add(1), first) << "not yet committed";
  fed.classifier.commit();
  fed.rcu.reclaim();
  fed.classifier.reclaim();
  EXPECT_NE(add(2), first) << "a worker may still see it";
  fed.rcu.quiescent(0);
  fed.rcu.reclaim();
  fed.classifier.reclaim();
  EXPECT_EQ(add(3), first);
  fed.rcu.offline(0);
}

TEST(ClassifierMemory, NothingThatAWorkerSeesIsFreed) {
  Fed fed;
  RandomProgram program(3, 20);
  for (const auto& delta : program.first()) fed.apply(delta);
  fed.commit();
  pass(fed);
  fed.rcu.online(0);
  const auto packet = program.packet();
  const uint32_t counter =
      fed.judge(RandomProgram::pod(0), policy::Direction::egress, packet).counter;
  ASSERT_NE(counter, RuleList::k_no_rule);
  const std::string id = fed.classifier.counters()[counter].id;
  const size_t counters = fed.classifier.memory().counters;
  const policy::ProgramState state = fed.state;
  for (const auto& [key, workload] : state.workloads)
    fed.classifier.apply(policy::WorkloadRemove{key});
  for (const auto& [key, rules] : state.policies) fed.classifier.apply(policy::PolicyRemove{key});
  fed.classifier.commit();
  fed.rcu.reclaim();
  fed.classifier.reclaim();
  EXPECT_EQ(fed.classifier.memory().counters, counters);
  EXPECT_EQ(fed.classifier.counters()[counter].id, id);
  fed.rcu.quiescent(0);
  fed.rcu.reclaim();
  fed.classifier.reclaim();
  EXPECT_EQ(fed.classifier.memory().counters, 0u);
  fed.rcu.offline(0);
}

}  // namespace
}  // namespace margay::vector
