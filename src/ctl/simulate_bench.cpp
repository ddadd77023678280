// Queries a second against a cluster of some size, reading and writing JSON lines included.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <sstream>

#include "api/codec.h"
#include "ctl/simulate.h"

namespace margay::ctl {
namespace {

constexpr int k_pods_per_namespace = 20;
constexpr int k_queries = 1'000;

void add(FileObjects& files, std::string_view version, std::string_view kind,
         const std::string& json) {
  files.objects.push_back(
      {api::find_kind(version, kind), api::parse_json(json)->get_object(), std::string(kind)});
}

// One Kubernetes policy for every ten pods: half of them by label, half by CIDR.
FileObjects make_objects(int pods) {
  FileObjects files;
  for (int i = 0; i < pods; ++i) {
    const std::string ns = fmt::format("ns-{}", i / k_pods_per_namespace);
    if (i % k_pods_per_namespace == 0)
      add(files, "v1", "Namespace",
          fmt::format(R"({{"metadata":{{"name":"{}","labels":{{"team":"t{}"}}}}}})", ns, i % 7));
    add(files, "v1", "Pod",
        fmt::format(R"({{"metadata":{{"namespace":"{}","name":"p{}","labels":{{"app":"a{}"}}}},)"
                    R"("spec":{{"nodeName":"n{}"}},"status":{{"podIP":"10.{}.{}.{}"}}}})",
                    ns, i, i % 5, i % 100, i >> 16, i >> 8 & 255, i & 255));
    if (i % 10 != 0) continue;
    const std::string peer = i % 20 == 0 ? R"("podSelector":{"matchLabels":{"app":"a2"}})"
                                         : R"("ipBlock":{"cidr":"10.0.0.0/9"})";
    add(files, "networking.k8s.io/v1", "NetworkPolicy",
        fmt::format(R"({{"metadata":{{"namespace":"{}","name":"np{}"}},"spec":{{)"
                    R"("podSelector":{{"matchLabels":{{"app":"a{}"}}}},"policyTypes":["Ingress"],)"
                    R"("ingress":[{{"from":[{{{}}}],"ports":[{{"port":{}}}]}}]}}}})",
                    ns, i, i / 10 % 5, peer, 80 + i % 3));
  }
  return files;
}

std::string make_queries(int pods) {
  std::string queries;
  for (int i = 0; i < k_queries; ++i) {
    const int from = i * 7919 % pods;
    const int to = i * 104'729 % pods;
    queries += fmt::format(
        R"({{"id":{},"from":"ns-{}/p{}","to":"ns-{}/p{}","protocol":"tcp","port":{}}})"
        "\n",
        i, from / k_pods_per_namespace, from, to / k_pods_per_namespace, to, 80 + i % 4);
  }
  return queries;
}

size_t count_errors(const FlowJudge& judge, const std::string& queries) {
  std::istringstream in(queries);
  std::ostringstream out;
  return simulate(judge, in, out).errors;
}

// What the evaluator learns of an endpoint it remembers: the first question costs more.
void first_questions(benchmark::State& state) {
  const int pods = static_cast<int>(state.range(0));
  const auto cluster = Cluster::from_files(make_objects(pods));
  const std::string queries = make_queries(pods);
  size_t errors = cluster ? 0 : 1;
  for (auto _ : state) errors += count_errors(FlowJudge(*cluster), queries);
  if (errors > 0) state.SkipWithError("queries could not be answered");
  state.SetItemsProcessed(state.iterations() * k_queries);
}
BENCHMARK(first_questions)->ArgName("pods")->Arg(100)->Arg(1'000)->Arg(10'000);

void further_questions(benchmark::State& state) {
  const int pods = static_cast<int>(state.range(0));
  const auto cluster = Cluster::from_files(make_objects(pods));
  const FlowJudge judge(*cluster);
  const std::string queries = make_queries(pods);
  size_t errors = count_errors(judge, queries);
  for (auto _ : state) errors += count_errors(judge, queries);
  if (errors > 0) state.SkipWithError("queries could not be answered");
  state.SetItemsProcessed(state.iterations() * k_queries);
}
BENCHMARK(further_questions)->ArgName("pods")->Arg(100)->Arg(1'000)->Arg(10'000);

void load_objects(benchmark::State& state) {
  const FileObjects files = make_objects(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Cluster::from_files(files));
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(files.objects.size()));
}
BENCHMARK(load_objects)->ArgName("pods")->Arg(100)->Arg(1'000)->Arg(10'000);

}  // namespace
}  // namespace margay::ctl
