// One changed policy, or one changed member of a set, among many, against what it costs to hand the
// kernel everything again, timed in the same run on the same rules: iptables-save |
// iptables-restore, nft list ruleset | nft -f; both families.

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>

#include "base/process.h"
#include "dataplane/iptables/iptables_dataplane.h"
#include "dataplane/nftables/nftables_dataplane.h"

namespace margay::dataplane::linux_host {
namespace {

using base::Result;
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

policy::SetMember member(uint16_t number) {
  return {.net = policy::Prefix(policy::IPAddress::v4(0x0a420000U + number))};
}

// Every workload is subject to its share of the policies; the set has as many members as there are
// policies.
std::vector<policy::Delta> program(int64_t policies) {
  std::vector<policy::Delta> deltas;
  policy::SetMembers members;
  for (int64_t i = 0; i < policies; ++i) members.insert(member(static_cast<uint16_t>(2 * i)));
  deltas.emplace_back(policy::SetUpdate{"s:clients", policy::SetType::nets, members});
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

// A data plane, and what its own programs take to restore all that it has programmed.
struct Subject {
  std::function<Result<std::unique_ptr<DataPlane>>()> make;
  std::function<Result<double>()> full_restore;
};

Subject iptables_with(const std::string& backend) {
  const auto make = [backend]() -> Result<std::unique_ptr<DataPlane>> {
    MARGAY_TRY(auto commands,
               iptables::system_commands(backend == "nft" ? Backend::nft : Backend::legacy, {}));
    return iptables::IptablesDataPlane::create({.node = "node"}, std::move(commands.chosen), false);
  };
  const auto full_restore = [backend]() -> Result<double> {
    double total = 0;
    for (const char* family : {"iptables", "ip6tables"}) {
      MARGAY_TRY(const std::string all,
                 base::run_checked({.argv = {fmt::format("{}-{}-save", family, backend)}}));
      const auto start = Clock::now();
      MARGAY_CHECK(base::run_checked(
          {.argv = {fmt::format("{}-{}-restore", family, backend)}, .input = all}));
      total += seconds_since(start);
    }
    return total;
  };
  return {make, full_restore};
}

Subject nftables_itself() {
  const auto make = []() -> Result<std::unique_ptr<DataPlane>> {
    return nftables::NftablesDataPlane::create({.node = "node"}, false);
  };
  const auto full_restore = []() -> Result<double> {
    MARGAY_TRY(const std::string all, base::run_checked({.argv = {"nft", "list", "ruleset"}}));
    const auto start = Clock::now();
    MARGAY_CHECK(base::run_checked({.argv = {"nft", "-f", "-"}, .input = "flush ruleset\n" + all}));
    return seconds_since(start);
  };
  return {make, full_restore};
}

void one_change(benchmark::State& state, const Subject& subject,
                const std::function<policy::Delta(int64_t policies, uint16_t step)>& change) {
  if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0)
    return state.SkipWithError("needs root to make a network namespace");
  auto plane = subject.make();
  if (!plane) return state.SkipWithError(plane.error().message.c_str());
  for (const auto& delta : program(state.range(0))) (*plane)->on_delta(delta);
  const auto first = Clock::now();
  if (const auto applied = (*plane)->apply().outcome; !applied)
    return state.SkipWithError(applied.error().message.c_str());
  const double first_apply = seconds_since(first);

  uint16_t step = 0;
  double spent = 0;
  for (auto _ : state) {
    (*plane)->on_delta(change(state.range(0), ++step));
    const auto start = Clock::now();
    if (const auto applied = (*plane)->apply().outcome; !applied)
      return state.SkipWithError(applied.error().message.c_str());
    const double took = seconds_since(start);
    state.SetIterationTime(took);
    spent += took;
  }
  const auto baseline = subject.full_restore();
  if (!baseline) return state.SkipWithError(baseline.error().message.c_str());
  state.counters["full_restore_ratio"] =
      *baseline / (spent / static_cast<double>(state.iterations()));
  state.counters["first_apply_ms"] = first_apply * 1e3;
}

policy::Delta changed_policy(int64_t policies, uint16_t step) {
  return policy_update(policies / 2, static_cast<uint16_t>(81 + step));
}
policy::Delta added_member(int64_t, uint16_t step) {
  return policy::SetDelta{"s:clients", {member(static_cast<uint16_t>(2 * step + 1))}, {}};
}

// Of two rules each. An iptables-restore of 10,000 of them takes more than a minute.
void some(benchmark::internal::Benchmark* bench) {
  bench->ArgName("policies")->Arg(10)->Arg(1'000)->Iterations(10);
  bench->UseManualTime()->Unit(benchmark::kMillisecond);
}
void many(benchmark::internal::Benchmark* bench) {
  some(bench);
  bench->Arg(10'000);
}
BENCHMARK_CAPTURE(one_change, policy_iptables_nft, iptables_with("nft"), changed_policy)
    ->Apply(some);
BENCHMARK_CAPTURE(one_change, policy_iptables_legacy, iptables_with("legacy"), changed_policy)
    ->Apply(some);
BENCHMARK_CAPTURE(one_change, policy_nftables, nftables_itself(), changed_policy)->Apply(many);
BENCHMARK_CAPTURE(one_change, member_iptables_nft, iptables_with("nft"), added_member)->Apply(some);
BENCHMARK_CAPTURE(one_change, member_nftables, nftables_itself(), added_member)->Apply(many);

}  // namespace
}  // namespace margay::dataplane::linux_host
