// What the graph costs as a cluster grows: getting in sync, one change, memory; each beside working
// everything out anew in the same run.
//
// The cluster is shaped like a real one: a hundred pods a node and a namespace, ten applications a
// namespace, and 1,000 policies spread over the namespaces.

#include <benchmark/benchmark.h>
#include <fmt/core.h>
#include <malloc.h>

#include <chrono>

#include "policy/graph.h"

namespace margay::policy {
namespace {

constexpr const char* k_node = "node-0";
constexpr size_t k_policies = 1000;
constexpr size_t k_pods_per_namespace = 100;
constexpr size_t k_pods_per_node = 100;
constexpr size_t k_applications = 10;

std::string application(size_t index) { return fmt::format("app-{}", index % k_applications); }

WorkloadEndpoint pod(size_t index, size_t pods) {
  const std::string ns = fmt::format("ns-{}", index / k_pods_per_namespace);
  const std::string node = fmt::format("node-{}", index % (pods / k_pods_per_node));
  const auto offset = static_cast<uint32_t>(index);
  return {.key = {node, "k8s", fmt::format("{}/pod-{}", ns, index), "eth0"},
          .ns = ns,
          .interface_name = fmt::format("cali{:x}", index),
          .addresses = {IPAddress::v4(0x0a000000 + offset)},
          .labels = {{"projectcalico.org/orchestrator", "k8s"},
                     {"projectcalico.org/namespace", ns},
                     {"app", application(index / 7)},
                     {"pod-template-hash", fmt::format("{}", index / 3)}},
          .profiles = {"kns." + ns},
          .ports = {{"http", k_tcp, 8080}}};
}

Profile namespace_profile(size_t index) {
  return {.name = fmt::format("kns.ns-{}", index),
          .labels_to_apply = {{"pcns.projectcalico.org/name", fmt::format("ns-{}", index)},
                              {"pcns.team", fmt::format("team-{}", index % 20)}},
          .ingress = {Rule{}},
          .egress = {Rule{}}};
}

Policy policy(size_t index, size_t namespaces) {
  const std::string ns = fmt::format("ns-{}", index % namespaces);
  const auto in_namespace = Selector::equals("projectcalico.org/namespace", ns);
  const auto app = Selector::equals("app", application(index / namespaces));
  Policy policy{.key = {.ns = ns, .name = fmt::format("policy-{}", index)},
                .order = 1000,
                .selector = in_namespace && app,
                .applies_egress = true};
  policy.ingress = {
      {.protocol = k_tcp,
       .source = {.selector = in_namespace && Selector::equals("app", application(index + 1))},
       .destination = {.ports = {{8080, 8080}}}},
      {.protocol = k_tcp,
       .source = {.selector = Selector::equals("pcns.team", fmt::format("team-{}", index % 20))},
       .destination = {.named_ports = {"http"}}}};
  policy.egress = {{.destination = {.selector = in_namespace}}};
  return policy;
}

std::vector<ModelChange> cluster(size_t pods) {
  Model model;
  const size_t namespaces = pods / k_pods_per_namespace;
  for (size_t i = 0; i < namespaces; ++i) {
    const Profile profile = namespace_profile(i);
    model.profiles[profile.name] = profile;
  }
  for (size_t i = 0; i < k_policies; ++i) {
    const Policy value = policy(i, namespaces);
    model.policies[value.key] = value;
  }
  for (size_t i = 0; i < pods; ++i) {
    const WorkloadEndpoint value = pod(i, pods);
    model.workloads[value.key] = value;
  }
  return model.changes();
}

std::vector<Delta> feed(Graph& graph, const std::vector<ModelChange>& changes) {
  for (const ModelChange& change : changes) graph.on_change(change);
  graph.on_in_sync();
  return graph.flush();
}

bool is_complete(const Graph& graph, size_t pods) {
  const Graph::Counts counts = graph.counts();
  return counts.workloads == pods && counts.policies == k_policies &&
         counts.local_endpoints == k_pods_per_node && counts.active_policies > 0 &&
         counts.active_sets > 0;
}

void in_sync(benchmark::State& state) {
  const auto pods = static_cast<size_t>(state.range(0));
  const std::vector<ModelChange> changes = cluster(pods);
  size_t bytes = 0;
  for (auto _ : state) {
    const size_t before = mallinfo2().uordblks;
    Graph graph(k_node);
    const std::vector<Delta> deltas = feed(graph, changes);
    state.PauseTiming();
    bytes = mallinfo2().uordblks - before;
    if (!is_complete(graph, pods) || deltas.empty()) state.SkipWithError("not in sync");
    state.ResumeTiming();
  }
  state.counters["bytes_per_pod"] = static_cast<double>(bytes) / static_cast<double>(pods);
}

// Times `change`, called with whether to make or to undo it, on a graph that is in sync. Each call
// must lead to deltas.
void one_change(benchmark::State& state, auto change) {
  const auto pods = static_cast<size_t>(state.range(0));
  const std::vector<ModelChange> changes = cluster(pods);
  Graph graph(k_node);
  const auto start = std::chrono::steady_clock::now();
  feed(graph, changes);
  const std::chrono::duration<double> from_scratch = std::chrono::steady_clock::now() - start;
  if (!is_complete(graph, pods)) return state.SkipWithError("not in sync");

  bool make = true;
  size_t made = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (auto _ : state) {
    graph.on_change(change(pods, make));
    if (graph.flush().empty()) return state.SkipWithError("a change without effect");
    make = !make;
    ++made;
  }
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
  state.counters["from_scratch_ratio"] =
      from_scratch.count() / (spent.count() / static_cast<double>(made));
}

// A pod elsewhere, in a namespace that local policy names, comes and goes.
void remote_pod_change(benchmark::State& state) {
  one_change(state, [](size_t pods, bool make) {
    const WorkloadEndpoint value = pod(1, pods);
    return Change<WorkloadKey, WorkloadEndpoint>{value.key,
                                                 make ? std::nullopt : std::optional(value)};
  });
}

// A local pod changes to another application: other policies apply to it.
void local_pod_change(benchmark::State& state) {
  one_change(state, [](size_t pods, bool make) {
    WorkloadEndpoint value = pod(0, pods);
    if (make) value.labels["app"] = application(1);
    return Change<WorkloadKey, WorkloadEndpoint>{value.key, value};
  });
}

// An active policy gets another selector in a rule: one set goes, another of a hundred pods comes.
void policy_change(benchmark::State& state) {
  one_change(state, [](size_t pods, bool make) {
    Policy value = policy(0, pods / k_pods_per_namespace);
    if (make)
      value.ingress[0].source.selector = Selector::equals("pcns.projectcalico.org/name", "ns-1");
    return Change<PolicyKey, Policy>{value.key, value};
  });
}

BENCHMARK(in_sync)->Arg(1'000)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);
BENCHMARK(remote_pod_change)->Arg(1'000)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMicrosecond);
BENCHMARK(local_pod_change)->Arg(1'000)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMicrosecond);
BENCHMARK(policy_change)->Arg(1'000)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace margay::policy
