// Services at scale. Times are of one core, in TSC cycles for each new flow (`cycles`). What was
// chosen is checked outside the timed part.

#include <benchmark/benchmark.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "vector/service/service_table.h"

namespace margay::vector {
namespace {

constexpr uint32_t k_services = 10'000;
constexpr uint32_t k_flows = 1 << 18;

base::IPAddress service_address(uint32_t service) {
  return base::IPAddress::v4(0x0a60'0000 + service);
}

ServiceConfig service(uint32_t number, uint32_t backends, uint32_t affinity_seconds) {
  ServiceConfig config{.name = std::to_string(number), .affinity_seconds = affinity_seconds};
  config.frontends = {{service_address(number), 6, 80}};
  for (uint32_t i = 0; i < backends; ++i)
    config.backends.push_back(
        {.identity = {base::IPAddress::v4(0x0b00'0000 + number * backends + i), 8080},
         .ready = true});
  return config;
}

struct Services {
  explicit Services(uint32_t count, uint32_t backends, uint32_t affinity_seconds = 0)
      : backend_count(backends) {
    for (uint32_t i = 0; i < count; ++i)
      if (!table.set_service(service(i, backends, affinity_seconds))) std::abort();
    rcu.reclaim();
  }
  uint32_t backend_count;
  ServiceLimits limits;
  Rcu rcu{1};
  ServiceWorker worker{limits, 1};
  ServiceTable table{&rcu, limits, {&worker}};
};

std::vector<FlowTuple> flows_to(uint32_t services) {
  std::mt19937_64 random(1);
  std::vector<FlowTuple> flows(k_flows);
  for (auto& each : flows) {
    each.client = address_bytes(base::IPAddress::v4(static_cast<uint32_t>(random())));
    each.service = address_bytes(service_address(static_cast<uint32_t>(random() % services)));
    each.client_port = static_cast<uint16_t>(random());
    each.service_port = 80;
    each.protocol = 6;
  }
  return flows;
}

bool is_right(const FlowTuple& flow, const Choice& choice, uint32_t backends) {
  const auto v4 = [](const AddressBytes& bytes) {
    return base::IPAddress::from_bytes({bytes.data(), 4})->to_v4();
  };
  const uint32_t number = v4(flow.service) - 0x0a60'0000;
  return choice.result == Choice::Result::chosen && choice.port == 8080 &&
         (v4(choice.address) - 0x0b00'0000) / backends == number;
}

// The median: on a shared machine the mean tells of the neighbours.
double median(std::vector<uint64_t>* values) {
  const auto middle = values->begin() + static_cast<ptrdiff_t>(values->size() / 2);
  std::nth_element(values->begin(), middle, values->end());
  return static_cast<double>(*middle);
}

void measure(benchmark::State& state, Services* services, uint32_t count, size_t batch) {
  const auto all = flows_to(count);
  std::vector<Choice> choices(batch);
  std::vector<uint64_t> cycles;
  size_t at = 0, wrong = 0;
  for (auto _ : state) {
    const std::vector<FlowTuple> flows(all.begin() + static_cast<ptrdiff_t>(at),
                                       all.begin() + static_cast<ptrdiff_t>(at + batch));
    const uint64_t start = __rdtsc();
    services->table.choose(flows, at, &services->worker, choices);
    cycles.push_back(__rdtsc() - start);
    for (size_t i = 0; i < batch; ++i)
      wrong += !is_right(flows[i], choices[i], services->backend_count);
    at = (at + batch) % k_flows;
  }
  if (wrong != 0) return state.SkipWithError("a wrong choice");
  state.counters["cycles"] = median(&cycles) / static_cast<double>(batch);
}

void service_choose(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  static Services many(k_services, 10), one(1, 10);
  measure(state, count == 1 ? &one : &many, count, static_cast<size_t>(state.range(1)));
}
BENCHMARK(service_choose)
    ->ArgNames({"services", "batch"})
    ->Args({1, 256})
    ->Args({k_services, 256})
    ->Args({k_services, 64})
    ->Args({k_services, 16})
    ->Args({k_services, 1});

void service_choose_with_affinity(benchmark::State& state) {
  static Services services(k_services, 10, 3600);
  measure(state, &services, k_services, 256);
}
BENCHMARK(service_choose_with_affinity);

// The destination's lookup alone, all of it in the nearer caches, beside DPDK's rte_hash.
constexpr uint32_t k_near_frontends = 256;

void frontend_lookup(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  Rcu rcu(1);
  FrontendTable table(&rcu, 1 << 16);
  for (uint32_t i = 0; i < count; ++i)
    table.set({.key = {address_bytes(service_address(i)), 80, 6, 4}, .service = i});
  const auto flows = flows_to(count);
  std::vector<FrontendKey> keys;
  for (const auto& each : flows) keys.push_back({each.service, 80, 6, 4});
  keys.resize(4096);
  uint64_t sum = 0, wrong = 0;
  std::vector<uint64_t> cycles;
  for (auto _ : state) {
    const uint64_t start = __rdtsc();
    const auto& slots = table.slots();
    for (const auto& each : keys) sum += table.find(slots, each, each.hash())->service;
    cycles.push_back(__rdtsc() - start);
  }
  benchmark::DoNotOptimize(sum);
  for (const auto& each : keys)
    wrong += address_bytes(service_address(table.find(each)->service)) != each.address;
  if (wrong != 0) return state.SkipWithError("a wrong record");
  state.counters["cycles"] = median(&cycles) / static_cast<double>(keys.size());
}
BENCHMARK(frontend_lookup)->Arg(k_near_frontends)->Arg(k_services);

// Each lookup needs the one before: its latency.
void frontend_lookup_latency(benchmark::State& state) {
  Rcu rcu(1);
  FrontendTable table(&rcu, 1 << 16);
  for (uint32_t i = 0; i < k_near_frontends; ++i)
    table.set({.key = {address_bytes(service_address(i)), 80, 6, 4}, .service = i});
  std::vector<FrontendKey> keys;
  for (uint32_t i = 0; i < k_near_frontends; ++i)
    keys.push_back({address_bytes(service_address(i * 37 % k_near_frontends)), 80, 6, 4});
  std::vector<uint64_t> cycles;
  uint32_t at = 0;
  for (auto _ : state) {
    const uint64_t start = __rdtsc();
    const auto& slots = table.slots();
    for (int i = 0; i < 4096; ++i) at = table.find(slots, keys[at], keys[at].hash())->service;
    cycles.push_back(__rdtsc() - start);
  }
  benchmark::DoNotOptimize(at);
  state.counters["cycles"] = median(&cycles) / 4096;
}
BENCHMARK(frontend_lookup_latency);

bool eal_is_there() {
  static const bool there = [] {
    const char* words[] = {"x",        "--no-huge",   "-m",           "1024", "--no-telemetry",
                           "--no-pci", "--no-shconf", "--log-level=4"};
    std::vector<char*> arguments;
    for (const char* each : words) arguments.push_back(const_cast<char*>(each));
    return rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) >= 0 ||
           rte_errno == EALREADY;
  }();
  return there;
}

rte_hash* rte_table(uint32_t count) {
  rte_hash_parameters parameters{};
  parameters.name = "services";
  parameters.entries = 1 << 16;
  parameters.key_len = sizeof(FrontendKey);
  parameters.hash_func = rte_jhash;
  parameters.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF;
  rte_hash* table = rte_hash_create(&parameters);
  for (uintptr_t i = 0; table && i < count; ++i) {
    const FrontendKey key{address_bytes(service_address(static_cast<uint32_t>(i))), 80, 6, 4};
    rte_hash_add_key_data(table, &key, reinterpret_cast<void*>(i));
  }
  return table;
}

void rte_hash_lookup_lock_free(benchmark::State& state) {
  const auto count = static_cast<uint32_t>(state.range(0));
  const bool bulk = state.range(1) != 0;
  if (!eal_is_there()) return state.SkipWithError("no EAL");
  rte_hash* table = rte_table(count);
  if (!table) return state.SkipWithError("no rte_hash");
  const auto flows = flows_to(count);
  std::vector<FrontendKey> keys;
  for (const auto& each : flows) keys.push_back({each.service, 80, 6, 4});
  keys.resize(4096);
  std::vector<const void*> pointers;
  for (const auto& each : keys) pointers.push_back(&each);
  std::vector<void*> found(keys.size());
  std::vector<uint64_t> cycles;
  for (auto _ : state) {
    const uint64_t start = __rdtsc();
    if (bulk) {
      for (size_t i = 0; i < keys.size(); i += RTE_HASH_LOOKUP_BULK_MAX) {
        uint64_t hits;
        rte_hash_lookup_bulk_data(table, &pointers[i], RTE_HASH_LOOKUP_BULK_MAX, &hits, &found[i]);
      }
    } else {
      for (size_t i = 0; i < keys.size(); ++i) rte_hash_lookup_data(table, &keys[i], &found[i]);
    }
    cycles.push_back(__rdtsc() - start);
  }
  uint64_t wrong = 0;
  for (size_t i = 0; i < keys.size(); ++i)
    wrong += address_bytes(service_address(
                 static_cast<uint32_t>(reinterpret_cast<uintptr_t>(found[i])))) != keys[i].address;
  if (wrong != 0) return state.SkipWithError("a wrong record");
  rte_hash_free(table);
  state.counters["cycles"] = median(&cycles) / static_cast<double>(keys.size());
}
BENCHMARK(rte_hash_lookup_lock_free)
    ->ArgNames({"frontends", "bulk"})
    ->Args({k_near_frontends, 0})
    ->Args({k_near_frontends, 1})
    ->Args({k_services, 0})
    ->Args({k_services, 1});

void maglev_build(benchmark::State& state) {
  std::vector<BackendIdentity> backends;
  for (uint32_t i = 0; i < state.range(0); ++i)
    backends.push_back({base::IPAddress::v4(0x0b00'0000 + i), 8080});
  for (auto _ : state) benchmark::DoNotOptimize(build_maglev(backends));
}
BENCHMARK(maglev_build)->Arg(3)->Arg(10)->Arg(100)->Arg(1000)->Unit(benchmark::kMillisecond);

// One of 100 backends comes and goes in a table of 10,000 services.
void service_change(benchmark::State& state) {
  static Services services(k_services, 3);
  auto config = service(k_services, 100, 0);
  uint32_t round = 0;
  for (auto _ : state) {
    config.backends[0].identity.port = static_cast<uint16_t>(1 + round++ % 60'000);
    if (!services.table.set_service(config)) return state.SkipWithError("refused");
  }
}
BENCHMARK(service_change)->Unit(benchmark::kMillisecond);

double resident_mib() {
  std::ifstream file("/proc/self/statm");
  size_t total = 0, resident = 0;
  file >> total >> resident;
  return static_cast<double>(resident * static_cast<size_t>(sysconf(_SC_PAGESIZE))) / 1048576.0;
}

void service_memory_and_load(benchmark::State& state) {
  for (auto _ : state) {
    const double before = resident_mib();
    const Services services(k_services, static_cast<uint32_t>(state.range(0)));
    state.counters["resident_MiB"] = resident_mib() - before;
    state.counters["tables_MiB"] =
        static_cast<double>(services.table.maglev_tables().bytes()) / 1048576.0;
  }
}
BENCHMARK(service_memory_and_load)->Arg(3)->Arg(10)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace margay::vector
