// What a flow's first packet costs in policy as rules grow, and what changes cost the control
// thread. Every verdict is compared with the program's interpreter before it is timed.

#include <benchmark/benchmark.h>
#include <fmt/core.h>
#include <malloc.h>
#include <x86intrin.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <stdexcept>

#include "policy/random.h"
#include "vector/classifier/classifier.h"
#include "vector/classifier/reference_judge.h"

namespace margay::vector {
namespace {

using policy::Action;
using policy::Direction;
using policy::IPAddress;
using policy::Packet;
using policy::Prefix;
using policy::ProgramRule;
using policy::ProgramRules;

constexpr size_t k_flows = 1 << 14;
constexpr size_t k_batch = 256;
constexpr size_t k_members = 100'000;
constexpr const char* k_big_set = "s:big";

IPAddress member_of_big_set(size_t index) {
  return IPAddress::v4(0x0a000000 + static_cast<uint32_t>(index) * 16);
}

// Half of the rules name a source net (or, for egress, a destination net) and a port; a quarter
// only a port of their own; a quarter the big set and a port. Different nets overlap.
ProgramRule rule(size_t index, bool is_ingress, size_t of) {
  ProgramRule rule{.action = index % 7 == 3 ? Action::deny : Action::allow,
                   .protocol = index % 5 == 0 ? policy::k_udp : policy::k_tcp};
  auto& peer = is_ingress ? rule.source : rule.destination;
  const auto port = static_cast<uint16_t>(1000 + index * 37 % 20000);
  rule.destination.ports = {{port, static_cast<uint16_t>(port + index % 3)}};
  if (index % 4 < 2) {
    const auto net = static_cast<uint32_t>(0x0a000000 + index * 4096 % (k_members * 16));
    peer.nets = {Prefix(IPAddress::v4(net), 20 + static_cast<unsigned>(index % 5))};
    rule.destination.ports = {{80, 80}, {443, 443}, {port, port}};
  } else if (index % 4 == 2) {
    peer.sets = {k_big_set};
  }
  rule.id = fmt::format("{}-{}-of-{}", is_ingress ? "in" : "out", index, of);
  return rule;
}

std::shared_ptr<ProgramRules> rules(size_t count) {
  auto rules = std::make_shared<ProgramRules>();
  for (size_t i = 0; i < count; ++i) {
    rules->ingress.push_back(rule(i, true, count));
    rules->egress.push_back(rule(i, false, count));
  }
  return rules;
}

policy::WorkloadKey pod_key(size_t index) {
  return {"node", "k8s", fmt::format("ns/pod-{}", index), "eth0"};
}

policy::WorkloadUpdate pod(size_t index, const std::vector<policy::PolicyKey>& policies) {
  return {{.endpoint = {.key = pod_key(index)},
           .tiers = {{.name = "default", .ingress = policies, .egress = policies}}}};
}

policy::SetUpdate big_set() {
  policy::SetUpdate set{.id = k_big_set};
  std::vector<policy::SetMember> members;
  for (size_t i = 0; i < k_members; ++i) members.push_back({.net = Prefix(member_of_big_set(i))});
  set.members = policy::SetMembers(members.begin(), members.end());
  return set;
}

struct Node {
  Rcu rcu{1};
  Classifier classifier{rcu};
  policy::ProgramState state;
  void apply(const policy::Delta& delta) {
    if (!state.apply(delta)) throw std::logic_error("not a program");
    classifier.apply(delta);
  }
  void commit() {
    classifier.commit();
    rcu.reclaim();
  }
};

// Flows that rules of all places decide about.
std::vector<Packet> flows_for(const ProgramRules& rules, policy::Random& random) {
  std::vector<Packet> packets;
  for (size_t i = 0; i < k_flows; ++i) {
    const bool follows_ingress = random.chance(50);
    const ProgramRule& rule = random.pick(follows_ingress ? rules.ingress : rules.egress);
    Packet packet{.source = member_of_big_set(random.below(k_members)),
                  .destination = member_of_big_set(random.below(k_members)),
                  .protocol = *rule.protocol,
                  .source_port = static_cast<uint16_t>(32768 + random.below(28000)),
                  .destination_port = random.pick(rule.destination.ports).first};
    const auto& peer = follows_ingress ? rule.source : rule.destination;
    if (!peer.nets.empty())
      (follows_ingress ? packet.source : packet.destination) =
          peer.nets[0].address().plus(random.below(256));
    packets.push_back(packet);
  }
  return packets;
}

void check(const Node& node, const std::vector<Packet>& packets,
           const std::vector<FlowJudgement>& judgements, size_t count) {
  const auto allows = [&](Direction direction, const Packet& packet) {
    return policy::interpret(node.state, pod_key(0), direction, packet) == policy::Verdict::allow;
  };
  for (size_t i = 0; i < count; ++i)
    if (judgements[i].allowed() !=
        (allows(Direction::egress, packets[i]) && allows(Direction::ingress, packets[i])))
      throw std::logic_error("a wrong verdict for " + policy::to_string(packets[i]));
}

// Both directions of a flow, in batches and one by one.
void judge(benchmark::State& state, bool in_batches) {
  const auto count = static_cast<size_t>(state.range(0));
  Node node;
  node.apply(big_set());
  const auto all = rules(count);
  node.apply(policy::PolicyUpdate{{.name = "p"}, all});
  node.apply(pod(0, {{.name = "p"}}));
  node.commit();
  policy::Random random(count);
  const auto packets = flows_for(*all, random);
  std::vector<Flow> flows;
  for (const Packet& packet : packets) {
    flows.push_back(flow_of(packet));
    flows.back().source_endpoint = flows.back().destination_endpoint = 0;
  }
  std::vector<FlowJudgement> judgements(flows.size());
  node.classifier.view().judge(flows, judgements);
  check(node, packets, judgements,
        std::clamp<size_t>(20'000'000 / (count * count + 1), 100, k_flows));
  size_t allowed = 0;
  for (const auto& each : judgements) allowed += each.allowed();

  std::vector<double> cycles;  // a flow, for each batch
  for (auto _ : state)
    for (size_t i = 0; i < flows.size(); i += k_batch) {
      const std::span batch(&flows[i], k_batch);
      const uint64_t start = __rdtsc();
      if (in_batches)
        node.classifier.view().judge(batch, {judgements.data(), k_batch});
      else
        for (size_t j = 0; j < k_batch; ++j) judgements[j] = node.classifier.view().judge(batch[j]);
      cycles.push_back(static_cast<double>(__rdtsc() - start) / k_batch);
    }
  // The median, and the fastest tenth: other processes on the machine count less.
  std::ranges::sort(cycles);
  state.counters["cycles/flow"] = cycles[cycles.size() / 2];
  state.counters["fastest"] = cycles[cycles.size() / 10];
  state.counters["allowed"] = static_cast<double>(allowed) / static_cast<double>(flows.size());
  state.counters["list_KiB"] = static_cast<double>(node.classifier.memory().list_bytes) / 1024;
}
void judge_batch(benchmark::State& state) { judge(state, true); }
void judge_single(benchmark::State& state) { judge(state, false); }
BENCHMARK(judge_batch)->RangeMultiplier(10)->Range(1, 10000)->Unit(benchmark::kMicrosecond);
BENCHMARK(judge_single)->RangeMultiplier(10)->Range(1, 10000)->Unit(benchmark::kMicrosecond);

double resident_mib() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  size_t all = 0, resident = 0;
  statm >> all >> resident;
  return static_cast<double>(resident) * 4096 / (1 << 20);
}

// 500 endpoints, each with 100 of 200 policies of 10 rules: 1,000 rules in each direction, and no
// two endpoints' lists the same.
std::vector<policy::Delta> five_hundred_endpoints() {
  std::vector<policy::Delta> deltas;
  for (size_t p = 0; p < 200; ++p) {
    auto ten = std::make_shared<ProgramRules>();
    for (size_t i = p * 10; i < p * 10 + 10; ++i) {
      ten->ingress.push_back(rule(i, true, 2000));
      ten->egress.push_back(rule(i, false, 2000));
    }
    deltas.push_back(policy::PolicyUpdate{{.name = fmt::format("p-{}", p)}, ten});
  }
  policy::Random random(1);
  for (size_t e = 0; e < 500; ++e) {
    std::vector<policy::PolicyKey> policies;
    size_t left = 100;
    for (size_t p = 0; p < 200; ++p)
      if (random.below(200 - p) < left) {
        policies.push_back({.name = fmt::format("p-{}", p)});
        --left;
      }
    deltas.push_back(pod(e, policies));
  }
  return deltas;
}

void compile_500_endpoints(benchmark::State& state) {
  const policy::Delta set = big_set();
  const auto deltas = five_hundred_endpoints();
  for (auto _ : state) {
    state.PauseTiming();
    auto rcu = std::make_unique<Rcu>(1);
    auto classifier = std::make_unique<Classifier>(*rcu);
    const double before = resident_mib();
    state.ResumeTiming();
    classifier->apply(set);
    for (const auto& delta : deltas) classifier->apply(delta);
    classifier->commit();
    state.PauseTiming();
    rcu->synchronize();
    classifier->reclaim();
    state.counters["resident_MiB"] = resident_mib() - before;
    state.counters["list_MiB"] = static_cast<double>(classifier->memory().list_bytes) / (1 << 20);
    state.counters["map_MiB"] = static_cast<double>(classifier->memory().map_bytes) / (1 << 20);
    state.counters["lists"] = static_cast<double>(classifier->memory().lists);
    classifier.reset();
    rcu.reset();
    state.ResumeTiming();
  }
}
BENCHMARK(compile_500_endpoints)->Unit(benchmark::kMillisecond)->Iterations(1);

// One rule of a policy changes, with 1,000 and 10,000 rules.
void change_one_rule(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  Node node;
  node.apply(big_set());
  const auto before = rules(count);
  const auto after = std::make_shared<ProgramRules>(*before);
  after->ingress[count / 2] = rule(count + 1, true, count);
  node.apply(policy::PolicyUpdate{{.name = "p"}, before});
  node.apply(pod(0, {{.name = "p"}}));
  node.commit();
  bool is_after = false;
  for (auto _ : state) {
    is_after = !is_after;
    node.classifier.apply(policy::PolicyUpdate{{.name = "p"}, is_after ? after : before});
    node.commit();
  }
}
BENCHMARK(change_one_rule)->Arg(1000)->Arg(10000)->Unit(benchmark::kMicrosecond);

struct FiveHundredEndpoints : Node {
  FiveHundredEndpoints() {
    apply(big_set());
    for (const auto& delta : five_hundred_endpoints()) apply(delta);
    commit();
    drain();
  }
  // What is left of earlier commits, so that the next is not timed with it.
  void drain() {
    for (int i = 0; i < 3; ++i) {
      classifier.reclaim();
      rcu.reclaim();
    }
  }
  void change_member(benchmark::State& timing, const std::string& set, bool add) {
    policy::SetDelta delta{.id = set};
    (add ? delta.added : delta.removed).push_back({.net = Prefix(member_of_big_set(77777))});
    const auto start = std::chrono::steady_clock::now();
    classifier.apply(delta);
    commit();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    timing.SetIterationTime(took.count());
  }
};

// One member of a set of 100,000 comes and goes, with 500 endpoints of 1,000 rules.
void change_one_member(benchmark::State& state) {
  FiveHundredEndpoints node;
  bool is_in = true;
  for (auto _ : state) {
    is_in = !is_in;
    node.change_member(state, k_big_set, is_in);
  }
}
// The same into a set that makes a class of addresses that was not there: all rule lists take it.
void change_one_member_new_class(benchmark::State& state) {
  FiveHundredEndpoints node;
  size_t round = 0;
  for (auto _ : state) {
    const std::string set = fmt::format("s:{}", ++round);
    node.apply(policy::SetUpdate{.id = set});
    node.change_member(state, set, true);
    node.apply(policy::SetRemove{set});
    node.commit();
    node.drain();
  }
}
BENCHMARK(change_one_member)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(change_one_member_new_class)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace margay::vector
