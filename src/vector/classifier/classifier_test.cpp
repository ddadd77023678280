#include "vector/classifier/classifier.h"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include "policy/generate.h"
#include "policy/graph.h"
#include "vector/classifier/classifier_fixture.h"
#include "vector/classifier/random_program.h"

namespace margay::vector {
namespace {

using policy::Direction;
using policy::Packet;
using testing::AllOf;
using testing::Field;

// ---- against the interpreter and the evaluator --------------------------------------------------

void check_packets(Fed& fed, policy::Generator& generator, const policy::Model& model,
                   size_t packets) {
  const policy::Evaluator evaluator(model);
  for (const auto& [key, workload] : fed.state.workloads)
    for (const Direction direction : {Direction::ingress, Direction::egress}) {
      if (workload.endpoint.addresses.empty()) continue;
      for (size_t i = 0; i < packets; ++i) {
        const Packet packet = generator.packet(model, workload.endpoint, direction);
        fed.expect_judged_right(key, direction, packet);
        EXPECT_EQ(fed.judge(key, direction, packet).allowed,
                  evaluator.evaluate(workload.endpoint, direction, packet).verdict ==
                      policy::Verdict::allow)
            << policy::to_string(packet);
      }
    }
}

class GeneratedModels : public testing::TestWithParam<size_t> {};

TEST_P(GeneratedModels, EveryPacketIsJudgedAsTheModelSays) {
  for (uint64_t seed = 0; seed < 8 && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    policy::Generator generator(seed, {.policies = GetParam()});
    policy::Model model = generator.model();
    policy::Graph graph("node-a");
    for (const auto& change : model.changes()) graph.on_change(change);
    graph.on_in_sync();
    Fed fed;
    for (size_t i = 0; i < 20 && !HasFailure(); ++i) {
      for (const auto& delta : graph.flush()) fed.apply(delta);
      fed.commit();
      check_packets(fed, generator, model, 4);
      for (size_t left = 1 + i % 2; left > 0; --left) {
        const auto change = generator.change(model);
        model.apply(change);
        graph.on_change(change);
      }
    }
  }
}

// Few policies make lists whose words are in their tables, many make lists with vectors.
INSTANTIATE_TEST_SUITE_P(Policies, GeneratedModels, testing::Values(10, 80));

class RandomPrograms : public testing::TestWithParam<size_t> {};

TEST_P(RandomPrograms, EveryPacketIsJudgedAsTheProgramSays) {
  const bool is_long = GetParam() > 100;
  const uint64_t seeds = is_long ? 1 : 12;
  for (uint64_t seed = 0; seed < seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomProgram program(seed, GetParam());
    Fed fed;
    for (const auto& delta : program.first()) fed.apply(delta);
    for (size_t i = 0; i < (is_long ? 8u : 25u) && !HasFailure(); ++i) {
      fed.commit();
      for (size_t packets = 0; packets < 30; ++packets) {
        const Packet packet = program.packet();
        for (size_t pod = 0; pod < RandomProgram::k_pods; ++pod)
          for (const Direction direction : {Direction::ingress, Direction::egress})
            fed.expect_judged_right(RandomProgram::pod(pod), direction, packet);
      }
      for (size_t left = 1 + i % 3; left > 0; --left) fed.apply(program.change(fed.state));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(RulesInAPolicy, RandomPrograms, testing::Values(2, 8, 40, 1500));

// ---- calls --------------------------------------------------------------------------------------

TEST(PolicyView, ABatchIsJudgedAsItsFlowsAlone) {
  RandomProgram program(1, 20);
  Fed fed;
  for (const auto& delta : program.first()) fed.apply(delta);
  fed.commit();
  std::vector<Packet> packets(256);
  for (auto& packet : packets) packet = program.packet();
  std::vector<Flow> flows;
  for (const Packet& packet : packets) {
    flows.push_back(flow_of(packet));
    const std::array endpoints = {*fed.classifier.endpoint(RandomProgram::pod(0)),
                                  *fed.classifier.endpoint(RandomProgram::pod(1)), k_no_endpoint,
                                  uint32_t{99}};
    flows.back().source_endpoint = endpoints[flows.size() % 4];
    flows.back().destination_endpoint = endpoints[flows.size() / 4 % 4];
  }
  for (const size_t count : {1u, 31u, 32u, 33u, 256u}) {
    std::vector<FlowJudgement> judgements(count);
    fed.classifier.view().judge(std::span(flows).first(count), judgements);
    for (size_t i = 0; i < count; ++i) {
      const FlowJudgement alone = fed.classifier.view().judge(flows[i]);
      for (const auto& [one, of_many] : {std::pair(alone.egress, judgements[i].egress),
                                         std::pair(alone.ingress, judgements[i].ingress)}) {
        EXPECT_EQ(one.allowed, of_many.allowed);
        EXPECT_EQ(one.by, of_many.by);
        EXPECT_EQ(one.counter, of_many.counter);
        EXPECT_EQ(one.logged, of_many.logged);
      }
    }
  }
}

// ---- a small program ----------------------------------------------------------------------------

const policy::WorkloadKey k_pod{"node", "k8s", "ns/pod", "eth0"};
const Packet k_packet{.source = policy::IPAddress::v4(0x0a000001),
                      .destination = policy::IPAddress::v4(0x0a000002),
                      .protocol = policy::k_tcp,
                      .source_port = 40000,
                      .destination_port = 80};

policy::WorkloadUpdate pod_with(const std::vector<policy::PolicyKey>& policies,
                                const std::vector<std::string>& profiles = {}) {
  policy::WorkloadUpdate update{{.endpoint = {.key = k_pod, .profiles = profiles}}};
  if (!policies.empty())
    update.workload.tiers = {{.name = "default", .ingress = policies, .egress = policies}};
  return update;
}

std::shared_ptr<const policy::ProgramRules> both_ways(const policy::ProgramRule& rule) {
  return std::make_shared<const policy::ProgramRules>(policy::ProgramRules{{rule}, {rule}});
}

struct SmallProgram : testing::Test {
  Rcu rcu{1};
  Classifier classifier{rcu};

  void apply_and_commit(const std::vector<policy::Delta>& deltas) {
    for (const auto& delta : deltas) classifier.apply(delta);
    classifier.commit();
  }
  FlowJudgement judge(uint32_t source, uint32_t destination) {
    Flow flow = flow_of(k_packet);
    flow.source_endpoint = source;
    flow.destination_endpoint = destination;
    return classifier.view().judge(flow);
  }
  Judgement egress() { return judge(*classifier.endpoint(k_pod), k_no_endpoint).egress; }
};

auto denied(DecidedBy by) {
  return AllOf(Field(&Judgement::allowed, false), Field(&Judgement::by, by));
}
auto allowed(DecidedBy by) {
  return AllOf(Field(&Judgement::allowed, true), Field(&Judgement::by, by));
}

TEST_F(SmallProgram, NothingIsAllowedBeforeItIsCommitted) {
  classifier.apply(policy::PolicyUpdate{{.name = "a"}, both_ways({})});
  classifier.apply(pod_with({{.name = "a"}}));
  EXPECT_THAT(egress(), denied(DecidedBy::unknown_endpoint));
  classifier.commit();
  EXPECT_THAT(egress(), allowed(DecidedBy::policy_rule));
}

// A parser gives the identifier of an ICMP query as its ports.
TEST_F(SmallProgram, ICMPHasNoPorts) {
  const policy::SetMember member{
      .net = policy::Prefix(k_packet.destination), .protocol = policy::k_icmp, .port = 0};
  policy::ProgramRule rule;
  rule.source.ports = rule.destination.ports = {{0, 0}};
  rule.destination.not_ports = {{80, 80}};
  policy::ProgramRule by_name;
  by_name.destination.port_sets = {"n:a"};
  for (const auto& each : {rule, by_name}) {
    apply_and_commit({policy::SetUpdate{"n:a", policy::SetType::named_ports, {member}},
                      policy::PolicyUpdate{{.name = "a"}, both_ways(each)},
                      pod_with({{.name = "a"}})});
    Flow flow = flow_of(k_packet);
    flow.source_endpoint = *classifier.endpoint(k_pod);
    EXPECT_FALSE(classifier.view().judge(flow).allowed());
    flow.protocol = policy::k_icmp;
    EXPECT_TRUE(classifier.view().judge(flow).allowed());
  }
}

TEST_F(SmallProgram, SidesWithoutAnEndpointAreNotAsked) {
  const FlowJudgement judgement = judge(k_no_endpoint, k_no_endpoint);
  EXPECT_TRUE(judgement.allowed());
  EXPECT_THAT(judgement.egress, allowed(DecidedBy::not_asked));
}

TEST_F(SmallProgram, IngressIsNotAskedWhenEgressDenies) {
  apply_and_commit(
      {policy::PolicyUpdate{{.name = "a"}, both_ways({.action = policy::Action::deny})},
       pod_with({{.name = "a"}})});
  const uint32_t pod = *classifier.endpoint(k_pod);
  const FlowJudgement judgement = judge(pod, pod);
  EXPECT_THAT(judgement.egress, denied(DecidedBy::policy_rule));
  EXPECT_THAT(judgement.ingress, denied(DecidedBy::not_asked));
}

TEST_F(SmallProgram, ARuleWhoseSetIsNotThereNeverMatchesUntilItComes) {
  for (const bool negated : {false, true}) {
    policy::ProgramRule rule;
    (negated ? rule.source.not_sets : rule.source.sets) = {"s:a"};
    apply_and_commit(
        {policy::PolicyUpdate{{.name = "a"}, both_ways(rule)}, pod_with({{.name = "a"}})});
    EXPECT_THAT(egress(), denied(DecidedBy::end_of_tier));
    policy::SetUpdate set{.id = "s:a"};
    if (!negated) set.members = {{.net = policy::Prefix(k_packet.source)}};
    apply_and_commit({set});
    EXPECT_THAT(egress(), allowed(DecidedBy::policy_rule));
    apply_and_commit({policy::SetRemove{"s:a"}});
    EXPECT_THAT(egress(), denied(DecidedBy::end_of_tier));
  }
}

TEST_F(SmallProgram, ASetOfTheOtherTypeIsAsIfItWereNotThere) {
  policy::ProgramRule rule;
  rule.source.not_sets = {"s:a"};
  apply_and_commit({policy::SetUpdate{.id = "s:a", .type = policy::SetType::named_ports},
                    policy::PolicyUpdate{{.name = "a"}, both_ways(rule)},
                    pod_with({{.name = "a"}})});
  EXPECT_THAT(egress(), denied(DecidedBy::end_of_tier));
  apply_and_commit({policy::SetUpdate{.id = "s:a"}});
  EXPECT_THAT(egress(), allowed(DecidedBy::policy_rule));
}

TEST_F(SmallProgram, APolicyThatIsNotThereDeniesInItsPlace) {
  apply_and_commit({policy::PolicyUpdate{{.name = "b"}, both_ways({})},
                    pod_with({{.name = "a"}, {.name = "b"}})});
  EXPECT_THAT(egress(), denied(DecidedBy::missing_policy));
  apply_and_commit({policy::PolicyUpdate{{.name = "a"}, std::make_shared<policy::ProgramRules>()}});
  EXPECT_THAT(egress(), allowed(DecidedBy::policy_rule));
  apply_and_commit({policy::PolicyRemove{{.name = "a"}}});
  EXPECT_THAT(egress(), denied(DecidedBy::missing_policy));
}

TEST_F(SmallProgram, TheGenerationRisesWithChangesOnly) {
  apply_and_commit({policy::PolicyUpdate{{.name = "a"}, both_ways({})}, pod_with({{.name = "a"}})});
  const uint64_t generation = classifier.view().snapshot().generation;
  apply_and_commit({policy::PolicyUpdate{{.name = "a"}, both_ways({})}, pod_with({{.name = "a"}}),
                    policy::HostUpdate{}, policy::InSync{}});
  EXPECT_EQ(classifier.view().snapshot().generation, generation);
  apply_and_commit(
      {policy::PolicyUpdate{{.name = "a"}, both_ways({.action = policy::Action::deny})}});
  EXPECT_EQ(classifier.view().snapshot().generation, generation + 1);
}

TEST_F(SmallProgram, ListsItsRulesInOrderWithTheirCounters) {
  apply_and_commit({policy::PolicyUpdate{{.name = "a"}, both_ways({.protocol = 17, .id = "udp"})},
                    policy::ProfileUpdate{"p", both_ways({.id = "all"})},
                    pod_with({{.name = "a"}}, {"p"})});
  const auto rules = classifier.rules_of(k_pod, Direction::egress);
  std::vector<std::string> text;
  text.reserve(rules.size());
  for (const auto& rule : rules) text.push_back(rule.place + (rule.text.empty() ? "" : " ..."));
  EXPECT_THAT(text,
              testing::ElementsAre("policy default/a egress ...", "end of tier default egress",
                                   "profile p egress ...", "no profile matched egress"));
  EXPECT_EQ(egress().counter, rules[1].counter);
  EXPECT_EQ(classifier.counters()[rules[0].counter].id, "udp");
  EXPECT_THAT(classifier.counters().take_assigned(), testing::SizeIs(6));
}

}  // namespace
}  // namespace margay::vector
