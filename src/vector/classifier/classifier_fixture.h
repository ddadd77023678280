#pragma once

// What tests of the classifier share.

#include <gtest/gtest.h>

#include "vector/classifier/classifier.h"
#include "vector/classifier/reference_judge.h"

namespace margay::vector {

// A classifier and the state that it must obey, fed with the same deltas.
struct Fed {
  Rcu rcu{1};
  Classifier classifier{rcu};
  policy::ProgramState state;

  void apply(const policy::Delta& delta) {
    const auto applied = state.apply(delta);
    ASSERT_TRUE(applied) << applied.error().message;
    classifier.apply(delta);
  }
  void commit() {
    classifier.commit();
    rcu.synchronize();
  }

  Judgement judge(const policy::WorkloadKey& key, policy::Direction direction,
                  const policy::Packet& packet) const {
    Flow flow = flow_of(packet);
    const bool is_ingress = direction == policy::Direction::ingress;
    (is_ingress ? flow.destination_endpoint : flow.source_endpoint) = *classifier.endpoint(key);
    const FlowJudgement judgement = classifier.view().judge(flow);
    return is_ingress ? judgement.ingress : judgement.egress;
  }

  // The verdict, the rule that decided and those logged are what the state says.
  void expect_judged_right(const policy::WorkloadKey& key, policy::Direction direction,
                           const policy::Packet& packet) {
    SCOPED_TRACE((direction == policy::Direction::ingress ? "ingress of " : "egress of ") +
                 key.id() + ": " + policy::to_string(packet));
    const Judgement judgement = judge(key, direction, packet);
    const ReferenceJudgement expected = reference_judge(state, key, direction, packet);
    EXPECT_EQ(judgement.allowed, expected.allowed);
    EXPECT_EQ(judgement.allowed,
              policy::interpret(state, key, direction, packet) == policy::Verdict::allow);
    EXPECT_EQ(judgement.by, expected.by);
    ASSERT_EQ(judgement.logged, expected.logged.size());
    for (size_t i = 0; i < std::min<size_t>(judgement.logged, Judgement::k_most_logged); ++i)
      EXPECT_EQ(classifier.counters()[judgement.logged_counters[i]].id, expected.logged[i]);
    if (expected.rule.empty()) return;
    EXPECT_EQ(classifier.counters()[judgement.counter].id, expected.rule);
  }
};

}  // namespace margay::vector
