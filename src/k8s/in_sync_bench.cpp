// From stored JSON to in sync: what it costs an agent's process to read a cluster from the store
// and to work out its node's program, as the cluster grows. Time, CPU (of all threads) and peak
// memory are those of a process that does nothing else: this program runs itself for each figure.
//
// `raw_cpu` is what it costs to read the same rows by one SELECT and to parse them with Boost.JSON,
// in a process of its own; `cpu_ratio` the whole as a multiple of that.

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <fstream>
#include <iostream>
#include <thread>

#include "base/event_loop.h"
#include "base/process.h"
#include "k8s/converter.h"
#include "k8s/testing/stored_cluster.h"
#include "policy/graph.h"
#include "store/sqlite/database.h"
#include "store/sqlite/sqlite_store.h"
#include "store/syncer.h"
#include "store/testing/temporary_folder.h"

namespace margay::k8s::testing {
namespace {

using base::Result;

constexpr std::string_view k_run_in_sync = "--run-in-sync";
constexpr std::string_view k_run_raw = "--run-raw";
constexpr std::chrono::minutes k_deadline{20};

// The agent's pipeline, up to the deltas.
class Agent final : public store::SyncerSink {
 public:
  explicit Agent(store::Store& store) : graph_(node_name(0)) {
    std::vector<store::Scope> scopes;
    for (const auto& resource : resources()) scopes.push_back({.resource = resource});
    syncer_ = std::make_unique<store::Syncer>(
        store, std::move(scopes), *this,
        [this](std::function<void()> task) { loop_.post(std::move(task)); });
  }

  std::vector<policy::Delta> run() {
    loop_.run();
    return std::move(deltas_);
  }
  policy::Graph::Counts counts() const { return graph_.counts(); }

 private:
  Task on_change(const store::Key& key, std::optional<store::Entry> entry) override {
    return [this, key, reading = read_object(key, entry.value().value).value()]() mutable {
      for (const auto& change : converter_.set(key, std::move(reading))) graph_.on_change(change);
    };
  }
  void on_in_sync() override {
    graph_.on_in_sync();
    deltas_ = graph_.flush();
    loop_.stop();
  }

  base::EventLoop loop_;
  Converter converter_;
  policy::Graph graph_;
  std::vector<policy::Delta> deltas_;
  std::unique_ptr<store::Syncer> syncer_;
};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Of this process, all threads, until now.
double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// ru_maxrss would count the parent's memory too.
double peak_mib() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word)
    if (word == "VmHWM:") {
      double kib = 0;
      status >> kib;
      return kib / 1024;
    }
  return 0;
}

StoredCluster::Program program_of(const Agent& agent, const std::vector<policy::Delta>& deltas) {
  StoredCluster::Program program{.local_endpoints = agent.counts().local_endpoints};
  for (const auto& delta : deltas) {
    if (std::get_if<policy::PolicyUpdate>(&delta)) ++program.active_policies;
    const auto* set = std::get_if<policy::SetUpdate>(&delta);
    if (set == nullptr) continue;
    ++program.sets;
    program.members += set->members.size();
  }
  return program;
}

// In the process that is measured. Prints wall, CPU and peak.
int run_in_sync(const std::string& path, const StoredCluster& cluster) {
  const auto begin = std::chrono::steady_clock::now();
  const auto store = store::sqlite::SqliteStore::open({.path = path}).value();
  Agent agent(*store);
  const auto deltas = agent.run();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  const double cpu = cpu_seconds();
  const double peak = peak_mib();

  const auto counts = agent.counts();
  const auto got = program_of(agent, deltas);
  const auto expected = cluster.program();
  if (got != expected || counts.workloads != cluster.pods || counts.policies != cluster.policies ||
      counts.hosts != cluster.nodes()) {
    std::cerr << fmt::format(
        "{} workloads, {} policies; {} endpoints, {} active policies, {} sets, {} members; "
        "expected {}, {}, {}, {}\n",
        counts.workloads, counts.policies, got.local_endpoints, got.active_policies, got.sets,
        got.members, expected.local_endpoints, expected.active_policies, expected.sets,
        expected.members);
    return 1;
  }
  std::cout << wall.count() << ' ' << cpu << ' ' << peak << '\n';
  return 0;
}

int run_raw(const std::string& path) {
  const auto begin = std::chrono::steady_clock::now();
  auto database = store::sqlite::Database::open(path).value();
  auto query = database.query("SELECT value FROM log").value();
  size_t objects = 0;
  std::array<unsigned char, 1 << 16> buffer;
  while (query.step().value()) {
    boost::json::monotonic_resource arena(buffer.data(), buffer.size());
    const auto text = query.text(0);
    objects +=
        boost::json::parse(boost::json::string_view(text.data(), text.size()), &arena).is_object();
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  std::cout << wall.count() << ' ' << cpu_seconds() << ' ' << peak_mib() << '\n';
  return objects > 0 ? 0 : 1;
}

struct Cost {
  double wall = 0, cpu = 0, peak = 0;
};

Result<Cost> measure(std::string_view what, const std::string& path, const StoredCluster& cluster) {
  MARGAY_TRY(const auto out, base::run_checked({.argv = {"/proc/self/exe", std::string(what), path,
                                                         std::to_string(cluster.pods),
                                                         std::to_string(cluster.policies)},
                                                .timeout = k_deadline}));
  Cost cost;
  std::istringstream(out) >> cost.wall >> cost.cpu >> cost.peak;
  return cost;
}

void in_sync(benchmark::State& state, bool full_pods) {
  const StoredCluster cluster{.pods = static_cast<size_t>(state.range(0)),
                              .policies = static_cast<size_t>(state.range(0)) / 5,
                              .full_pods = full_pods};
  const store::testing::TemporaryFolder folder;
  const std::string path = folder.file("store.db");
  cluster.write_to(*store::sqlite::SqliteStore::open(
                        {.path = path, .durability = store::sqlite::Durability::process_crash})
                        .value());
  Cost cost;
  for (auto _ : state) {
    const auto measured = measure(k_run_in_sync, path, cluster);
    if (!measured) return state.SkipWithError(measured.error().message.c_str());
    cost = *measured;
    state.SetIterationTime(cost.wall);
  }
  const auto raw = measure(k_run_raw, path, cluster);
  if (!raw) return state.SkipWithError(raw.error().message.c_str());
  state.counters["cpu_s"] = cost.cpu;
  state.counters["peak_mib"] = cost.peak;
  state.counters["raw_cpu_s"] = raw->cpu;
  state.counters["cpu_ratio"] = cost.cpu / raw->cpu;
}

void in_sync_full_pods(benchmark::State& state) { in_sync(state, true); }
void in_sync_lean_pods(benchmark::State& state) { in_sync(state, false); }

void growing(benchmark::internal::Benchmark* made) {
  made->Arg(1'000)->Arg(10'000)->Arg(50'000)->Arg(250'000);
  made->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK(in_sync_full_pods)->Apply(growing);
BENCHMARK(in_sync_lean_pods)->Apply(growing);

}  // namespace
}  // namespace margay::k8s::testing

int main(int argc, char** argv) {
  using namespace margay::k8s::testing;
  if (argc == 5) {
    const std::string_view what = argv[1];
    const StoredCluster cluster{.pods = std::stoul(argv[3]), .policies = std::stoul(argv[4])};
    if (what == k_run_in_sync) return run_in_sync(argv[2], cluster);
    if (what == k_run_raw) return run_raw(argv[2]);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
