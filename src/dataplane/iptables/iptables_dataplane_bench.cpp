// One changed policy among many, against what it costs to hand the kernel everything again, timed
// in the same run on the same rules: iptables-save | iptables-restore, both families.

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>

#include "base/process.h"
#include "dataplane/iptables/iptables_dataplane.h"

namespace margay::dataplane::iptables {
namespace {

using Clock = std::chrono::steady_clock;
using policy::PolicyKey;

constexpr int k_workloads = 20;

PolicyKey key(int64_t number) { return {"default", "", fmt::format("policy-{}", number)}; }

policy::Delta policy_update(int64_t number, uint16_t port) {
  policy::ProgramRules rules;
  for (const uint16_t offset : {uint16_t{0}, uint16_t{1000}})
    rules.ingress.push_back(
        {.protocol = policy::k_tcp,
         .source = {.sets = {"s:clients"}},
         .destination = {.ports = {{uint16_t(port + offset), uint16_t(port + offset)}}}});
  return policy::PolicyUpdate{key(number), std::make_shared<const policy::ProgramRules>(rules)};
}

// Every workload is subject to its share of the policies.
std::vector<policy::Delta> program(int64_t policies) {
  std::vector<policy::Delta> deltas;
  deltas.emplace_back(policy::SetUpdate{
      "s:clients", policy::SetType::nets, {{.net = *policy::Prefix::parse("10.65.0.0/24")}}});
  for (int64_t i = 0; i < policies; ++i) deltas.push_back(policy_update(i, 80));
  for (int i = 0; i < k_workloads; ++i) {
    policy::ProgramWorkload workload;
    workload.endpoint = {.key = {"node", "k8s", fmt::format("ns/pod-{}", i), "eth0"},
                         .interface_name = fmt::format("cali{:011x}", i * 0x9e3779b1LL)};
    workload.tiers = {{"default", {}, {}}};
    for (int64_t p = i; p < policies; p += k_workloads) workload.tiers[0].ingress.push_back(key(p));
    deltas.emplace_back(policy::WorkloadUpdate{workload});
  }
  deltas.emplace_back(policy::InSync{});
  return deltas;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Seconds that a full restore of what is programmed takes.
base::Result<double> full_restore(const std::string& backend) {
  double total = 0;
  for (const char* family : {"iptables", "ip6tables"}) {
    MARGAY_TRY(const std::string all,
               base::run_checked({.argv = {fmt::format("{}-{}-save", family, backend)}}));
    const auto start = Clock::now();
    MARGAY_CHECK(
        base::run_checked({.argv = {fmt::format("{}-{}-restore", family, backend)}, .input = all}));
    total += seconds_since(start);
  }
  return total;
}

void one_changed_policy(benchmark::State& state, const std::string& backend) {
  if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0)
    return state.SkipWithError("needs root to make a network namespace");
  auto commands =
      system_commands(backend == "nft" ? Backend::nft : Backend::legacy, std::chrono::seconds(10));
  if (!commands) return state.SkipWithError(commands.error().message.c_str());
  auto plane = IptablesDataPlane::create({.node = "node"}, std::move(commands->chosen), false);
  if (!plane) return state.SkipWithError(plane.error().message.c_str());
  for (const auto& delta : program(state.range(0))) (*plane)->on_delta(delta);
  const auto first = Clock::now();
  if (const auto applied = (*plane)->apply().outcome; !applied)
    return state.SkipWithError(applied.error().message.c_str());
  const double first_apply = seconds_since(first);

  uint16_t port = 81;
  double spent = 0;
  for (auto _ : state) {
    (*plane)->on_delta(policy_update(state.range(0) / 2, ++port));
    const auto start = Clock::now();
    if (const auto applied = (*plane)->apply().outcome; !applied)
      return state.SkipWithError(applied.error().message.c_str());
    const double took = seconds_since(start);
    state.SetIterationTime(took);
    spent += took;
  }
  const auto saved = base::run_checked({.argv = {fmt::format("iptables-{}-save", backend)}});
  if (!saved || !saved->contains(fmt::format("--dports {}", port)))
    return state.SkipWithError("the kernel does not have the changed rule");
  const auto baseline = full_restore(backend);
  if (!baseline) return state.SkipWithError(baseline.error().message.c_str());
  state.counters["full_restore_ratio"] =
      *baseline / (spent / static_cast<double>(state.iterations()));
  state.counters["first_apply_ms"] = first_apply * 1e3;
}

BENCHMARK_CAPTURE(one_changed_policy, nft, "nft")
    ->ArgName("policies")
    ->Arg(10)
    ->Arg(100)
    ->Arg(1'000)
    ->Iterations(20)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(one_changed_policy, legacy, "legacy")
    ->ArgName("policies")
    ->Arg(10)
    ->Arg(100)
    ->Arg(1'000)
    ->Iterations(20)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace margay::dataplane::iptables
