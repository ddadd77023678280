// margay_differential: generated policies x endpoints x packets, a data plane's real verdicts
// against the reference evaluator.
//
//   margay_differential --dataplane iptables --cases 200 --packets 1000 --seed 1
//
// Ends with "differential: N cases, M verdicts, K mismatches". Status 1: some mismatched, or the
// state reached by changes is not the one programmed afresh. A case is repeated by its own seed.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "base/log.h"
#include "differential/shrink.h"
#include "differential/trial.h"

namespace margay::differential {
namespace {

constexpr size_t k_many_workloads = 40;  // enough for a tree of dispatch chains

struct Options {
  TrialOptions trial;
  size_t cases = 200;
  uint64_t seed = 1;
  std::string regress = "tests/regress";
  std::string log_level = "error";
};

void report_mismatch(Wire& wire, uint64_t seed, const Options& options, const Mismatch& mismatch) {
  fmt::print("seed {}: {}\n", seed, mismatch.description);
  const auto shrunk = shrink(wire, options.trial.dataplane, mismatch);
  if (!shrunk) {
    fmt::print("  not shrunk: {}\n", shrunk.error().message);
    return;
  }
  const std::string file =
      fmt::format("{}/{}-{}.json", options.regress, options.trial.dataplane, seed);
  fmt::print("  shrunk to:\n{}", describe(*shrunk));
  static_cast<void>(file);
}

base::Result<int> run(const Options& options) {
  MARGAY_TRY(Wire wire, Wire::create(k_many_workloads));
  size_t cases = 0, verdicts = 0, allowed = 0, mismatches = 0, drifted = 0;
  for (; cases < options.cases; ++cases) {
    const uint64_t seed = options.seed + cases;
    TrialOptions trial = options.trial;
    if (seed % 4 == 3) trial.workloads = k_many_workloads;
    const auto result = run_trial(wire, seed, trial);
    if (!result) return base::fail(base::Error(result.error()).wrap(fmt::format("seed {}", seed)));
    verdicts += result->verdicts;
    allowed += result->allowed;
    mismatches += result->mismatches;
    drifted += result->drift.empty() ? 0 : 1;
    if (!result->drift.empty()) fmt::print("seed {}: state differs:\n{}", seed, result->drift);
    if (result->first) report_mismatch(wire, seed, options, *result->first);
  }
  fmt::print(
      "seeds {} to {}; {} packets were allowed, {} denied; {} cases ended in another state\n",
      options.seed, options.seed + cases - 1, allowed, verdicts - allowed, drifted);
  fmt::print("differential: {} cases, {} verdicts, {} mismatches\n", cases, verdicts, mismatches);
  return mismatches == 0 && drifted == 0 && verdicts > 0 ? 0 : 1;
}

}  // namespace
}  // namespace margay::differential

int main(int argc, char** argv) {
  using namespace margay;
  differential::Options options;
  CLI::App app("A data plane's real verdicts against the reference evaluator");
  app.add_option("--dataplane", options.trial.dataplane, "iptables, iptables-nft, iptables-legacy");
  app.add_option("--cases", options.cases, "generated cases");
  app.add_option("--packets", options.trial.packets, "packets in each");
  app.add_option("--seed", options.seed, "of the first case; each next has the next seed");
  app.add_option("--regress", options.regress, "folder for cases that fail");
  app.add_option("--log-level", options.log_level, "of the parts under test");
  CLI11_PARSE(app, argc, argv);
  if (geteuid() != 0) {
    fmt::print("SKIPPED differential: needs root to make network namespaces\n");
    return 0;
  }
  if (auto set_up = base::set_up_log("differential", options.log_level); !set_up) {
    fmt::print(stderr, "{}\n", set_up.error().message);
    return 2;
  }
  const auto status = differential::run(options);
  if (!status) fmt::print(stderr, "differential: {}\n", status.error().message);
  return status.value_or(2);
}
