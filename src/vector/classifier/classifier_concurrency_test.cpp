// Workers judge while the control thread changes everything: each answer must be that of one
// published state. Meant to be run under ThreadSanitizer as well.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "vector/classifier/classifier_fixture.h"
#include "vector/classifier/random_program.h"

namespace margay::vector {
namespace {

// Runs `read` in a worker's loop until the test ends it.
class Worker {
 public:
  template <typename Read>
  Worker(Rcu& rcu, Read read)
      : thread_([this, &rcu, read] {
          rcu.online(0);
          runs_.store(true);
          while (!stops_.load()) {
            read();
            rounds_.fetch_add(1);
            rcu.quiescent(0);
          }
          rcu.offline(0);
        }) {
    while (!runs_.load()) std::this_thread::yield();
  }
  ~Worker() { stop(); }
  void stop() {
    stops_.store(true);
    if (thread_.joinable()) thread_.join();
  }
  // Lets the worker finish a round that it begins from now on.
  void await_round() const {
    for (const uint64_t begin = rounds_.load(); rounds_.load() < begin + 2;)
      std::this_thread::yield();
  }

 private:
  std::atomic<bool> runs_{false}, stops_{false};
  std::atomic<uint64_t> rounds_{0};
  std::thread thread_;
};

struct Observed {
  uint64_t least, most;  // generations between which the answer lies
  size_t flow;
  bool allowed;
};

TEST(ClassifierConcurrency, EveryVerdictIsThatOfAPublishedState) {
  constexpr size_t k_flows = 64, k_generations = 150;
  for (const size_t rules : {4u, 40u}) {
    RandomProgram program(rules, rules);
    Fed fed;
    std::vector<policy::Packet> packets(k_flows);
    for (auto& packet : packets) packet = program.packet();
    // What is right in each generation.
    std::vector<std::vector<bool>> right(1);
    std::vector<std::vector<policy::Delta>> changes = {program.first()};
    for (size_t g = 0; g < k_generations; ++g) {
      if (g > 0) {
        changes.emplace_back();
        for (size_t left = 1 + g % 4; left > 0; --left) {
          changes.back().push_back(program.change(fed.state));
          ASSERT_TRUE(fed.state.apply(changes.back().back()));
        }
      } else {
        for (const auto& delta : changes[0]) ASSERT_TRUE(fed.state.apply(delta));
      }
      auto& now = right.emplace_back();
      for (const auto& packet : packets)
        now.push_back(policy::interpret(fed.state, RandomProgram::pod(0), policy::Direction::egress,
                                        packet) == policy::Verdict::allow &&
                      policy::interpret(fed.state, RandomProgram::pod(1),
                                        policy::Direction::ingress,
                                        packet) == policy::Verdict::allow);
    }

    for (const auto& delta : changes[0]) fed.classifier.apply(delta);
    ASSERT_EQ(fed.classifier.commit(), 1u);
    std::vector<Flow> flows;
    for (const auto& packet : packets) {
      flows.push_back(flow_of(packet));
      flows.back().source_endpoint = *fed.classifier.endpoint(RandomProgram::pod(0));
      flows.back().destination_endpoint = *fed.classifier.endpoint(RandomProgram::pod(1));
    }
    std::vector<Observed> observed;
    size_t next = 0;
    const PolicyView& view = fed.classifier.view();
    Worker worker(fed.rcu, [&] {
      const uint64_t least = view.snapshot().generation;
      const bool allowed = view.judge(flows[next]).allowed();
      const uint64_t most = view.snapshot().generation;
      if (observed.size() < 2'000'000) observed.push_back({least, most, next, allowed});
      next = (next + 1) % k_flows;
    });
    std::vector<uint64_t> generation_of_state = {0, 1};
    for (size_t g = 1; g < k_generations; ++g) {
      for (const auto& delta : changes[g]) fed.classifier.apply(delta);
      if (fed.classifier.commit() == generation_of_state.back()) {
        right.erase(right.begin() + static_cast<ptrdiff_t>(generation_of_state.size()));
        continue;  // changed nothing
      }
      generation_of_state.push_back(generation_of_state.back() + 1);
      worker.await_round();
      fed.rcu.reclaim();
    }
    worker.stop();
    ASSERT_GT(observed.size(), k_generations);
    for (const Observed& each : observed) {
      bool found = false;
      for (uint64_t g = each.least; g <= each.most && !found; ++g)
        found = right[g][each.flow] == each.allowed;
      ASSERT_TRUE(found) << "generations " << each.least << " to " << each.most << ": "
                         << policy::to_string(packets[each.flow]);
    }
  }
}

// Before and after, one of the two addresses is not in its set; a reader that sees half of the
// change would find both in theirs.
TEST(ClassifierConcurrency, AChangeOfTwoSetsIsSeenWhole) {
  Fed fed;
  const policy::WorkloadKey pod = RandomProgram::pod(0);
  const policy::Packet packet{.source = policy::IPAddress::v4(0x0a000001),
                              .destination = policy::IPAddress::v4(0x0a000002),
                              .protocol = policy::k_tcp,
                              .destination_port = 80};
  const policy::SetMember source{.net = policy::Prefix(packet.source)};
  const policy::SetMember port{
      .net = policy::Prefix(packet.destination), .protocol = policy::k_tcp, .port = 80};
  policy::ProgramRule rule;
  rule.source.sets = {"s:a"};
  rule.destination.port_sets = {"n:b"};
  fed.apply(policy::SetUpdate{.id = "s:a", .members = {source}});
  fed.apply(policy::SetUpdate{.id = "n:b", .type = policy::SetType::named_ports});
  fed.apply(policy::PolicyUpdate{
      {.name = "p"}, std::make_shared<policy::ProgramRules>(policy::ProgramRules{{}, {rule}})});
  fed.apply(policy::WorkloadUpdate{
      {.endpoint = {.key = pod}, .tiers = {{.name = "default", .egress = {{.name = "p"}}}}}});
  fed.classifier.commit();

  Flow flow = flow_of(packet);
  flow.source_endpoint = *fed.classifier.endpoint(pod);
  std::atomic<uint64_t> wrongly_allowed{0};
  Worker worker(fed.rcu, [&] {
    for (int i = 0; i < 20; ++i)
      if (fed.classifier.view().judge(flow).allowed()) wrongly_allowed.fetch_add(1);
  });
  for (int round = 0; round < 3000; ++round) {
    const bool to_port = round % 2 == 0;
    policy::SetDelta addresses{.id = "s:a"}, ports{.id = "n:b"};
    (to_port ? addresses.removed : addresses.added).push_back(source);
    (to_port ? ports.added : ports.removed).push_back(port);
    fed.classifier.apply(ports);
    fed.classifier.apply(addresses);
    fed.classifier.commit();
    fed.rcu.reclaim();
    if (round % 8 == 0) worker.await_round();
  }
  worker.stop();
  EXPECT_EQ(wrongly_allowed.load(), 0u);
}

}  // namespace
}  // namespace margay::vector
