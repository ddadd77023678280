// What a label change costs as a cluster grows, beside brute force on the same work.
//
// The cluster is shaped like a real one: every endpoint has its namespace (a parent of 50
// endpoints), an application, a tier and a version; of every ten selectors eight name an
// application of one namespace, one a label of namespaces, and one is negative.

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <string>
#include <vector>

#include "selector/label_index.h"

namespace margay::selector {
namespace {

constexpr int k_endpoints_per_namespace = 50;
constexpr int k_applications_per_namespace = 10;

std::string namespace_of(int endpoint) {
  return "ns-" + std::to_string(endpoint / k_endpoints_per_namespace);
}

LabelIndex::ItemId item_id(int endpoint) { return static_cast<LabelIndex::ItemId>(endpoint); }

Labels endpoint_labels(int endpoint, int application) {
  return {{"projectcalico.org/orchestrator", "k8s"},
          {"projectcalico.org/namespace", namespace_of(endpoint)},
          {"app", "app-" + std::to_string(application)},
          {"tier", endpoint % 3 == 0 ? "web" : "db"},
          {"version", "v" + std::to_string(endpoint % 7)},
          {"pod-template-hash", std::to_string(endpoint / 3)}};
}

Labels namespace_labels(int ns) {
  return {{"pcns.projectcalico.org/name", "ns-" + std::to_string(ns)},
          {"pcns.team", "team-" + std::to_string(ns % 40)}};
}

std::vector<Selector> make_selectors(int count) {
  std::vector<Selector> selectors;
  const Selector kubernetes = Selector::equals("projectcalico.org/orchestrator", "k8s");
  for (int i = 0; i < count; ++i) {
    const std::string team = "team-" + std::to_string(i % 40);
    const std::string ns = "ns-" + std::to_string(i / 5);
    const std::string app = "app-" + std::to_string(i % k_applications_per_namespace);
    if (i % 10 == 0) {
      selectors.push_back(kubernetes && Selector::equals("pcns.team", team) &&
                          Selector::in("tier", {"web", "db"}) &&
                          Selector::equals("version", "v" + std::to_string(i)));
    } else if (i % 10 == 1) {
      selectors.push_back(Selector::equals("projectcalico.org/namespace", ns) &&
                          !Selector::equals("app", app));
    } else {
      selectors.push_back(Selector::equals("projectcalico.org/namespace", ns) && kubernetes &&
                          Selector::equals("app", app));
    }
  }
  return selectors;
}

struct Cluster {
  Cluster(int endpoints, int selector_count) : selectors(make_selectors(selector_count)) {
    for (int ns = 0; ns * k_endpoints_per_namespace < endpoints; ++ns)
      index.set_parent("ns-" + std::to_string(ns), namespace_labels(ns));
    for (LabelIndex::SelectorId i = 0; i < selectors.size(); ++i)
      index.set_selector(i, selectors[i]);
    const size_t before = mallinfo2().uordblks;
    for (int endpoint = 0; endpoint < endpoints; ++endpoint)
      index.set_item(item_id(endpoint),
                     endpoint_labels(endpoint, endpoint % k_applications_per_namespace),
                     {namespace_of(endpoint)});
    bytes_per_item = static_cast<double>(mallinfo2().uordblks - before) / endpoints;
  }

  Labels effective_labels(int endpoint, int application) const {
    Labels labels = endpoint_labels(endpoint, application);
    labels.merge(namespace_labels(endpoint / k_endpoints_per_namespace));
    return labels;
  }

  // The index knows of the endpoint what trying every selector finds.
  bool agrees_with_brute_force(int endpoint, int application) const {
    const Labels labels = effective_labels(endpoint, application);
    for (LabelIndex::SelectorId i = 0; i < selectors.size(); ++i) {
      const auto matches = index.matches(i);
      const bool found = std::ranges::find(matches, item_id(endpoint)) != matches.end();
      if (found != selectors[i].matches(labels)) return false;
    }
    return true;
  }

  std::vector<Selector> selectors;
  size_t changes = 0;
  double bytes_per_item = 0;
  LabelIndex index{{.match_started = [this](const auto&, const auto&) { ++changes; },
                    .match_stopped = [this](const auto&, const auto&) { ++changes; }}};
};

void label_change(benchmark::State& state) {
  Cluster cluster(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  const int endpoint = static_cast<int>(state.range(0)) / 2;
  int application = 0;
  cluster.changes = 0;
  for (auto _ : state) {
    application = (application + 1) % k_applications_per_namespace;
    cluster.index.set_item(item_id(endpoint), endpoint_labels(endpoint, application),
                           {namespace_of(endpoint)});
  }
  state.counters["matches_changed"] =
      benchmark::Counter(static_cast<double>(cluster.changes), benchmark::Counter::kAvgIterations);
  state.counters["bytes_per_item"] = cluster.bytes_per_item;
  if (!cluster.agrees_with_brute_force(endpoint, application))
    state.SkipWithError("the index and brute force disagree");
}
BENCHMARK(label_change)
    ->ArgNames({"endpoints", "selectors"})
    ->Args({1'000, 10'000})
    ->Args({10'000, 10'000})
    ->Args({100'000, 10'000})
    ->Args({100'000, 1'000})
    ->Args({100'000, 100});

// The same change when every selector is tried: the baseline of label_change.
void label_change_brute_force(benchmark::State& state) {
  const Cluster cluster(1'000, static_cast<int>(state.range(0)));
  int application = 0;
  for (auto _ : state) {
    application = (application + 1) % k_applications_per_namespace;
    const Labels labels = cluster.effective_labels(500, application);
    size_t matching = 0;
    for (const Selector& selector : cluster.selectors) matching += selector.matches(labels) ? 1 : 0;
    benchmark::DoNotOptimize(matching);
  }
}
BENCHMARK(label_change_brute_force)->ArgName("selectors")->Arg(10'000)->Arg(100);

// A namespace of 50 endpoints changes its team: its endpoints alone are tried.
void namespace_change(benchmark::State& state) {
  Cluster cluster(static_cast<int>(state.range(0)), 10'000);
  int team = 0;
  for (auto _ : state) {
    Labels labels = namespace_labels(7);
    labels["pcns.team"] = "team-" + std::to_string(++team % 40);
    cluster.index.set_parent("ns-7", labels);
  }
}
BENCHMARK(namespace_change)->ArgName("endpoints")->Arg(1'000)->Arg(10'000)->Arg(100'000);

// An endpoint comes and goes.
void endpoint_churn(benchmark::State& state) {
  const int endpoints = static_cast<int>(state.range(0));
  Cluster cluster(endpoints, 10'000);
  for (auto _ : state) {
    cluster.index.set_item(item_id(endpoints), endpoint_labels(endpoints / 2, 3),
                           {namespace_of(endpoints / 2)});
    cluster.index.remove_item(item_id(endpoints));
  }
}
BENCHMARK(endpoint_churn)->ArgName("endpoints")->Arg(1'000)->Arg(10'000)->Arg(100'000);

}  // namespace
}  // namespace margay::selector
