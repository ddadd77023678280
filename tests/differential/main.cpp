// margay_differential: generated policies x endpoints x packets, a data plane's real verdicts
// against the reference evaluator.
//
//   margay_differential --dataplane iptables --cases 200 --packets 1000 --seed 1
//
// Ends with "differential: N cases, M verdicts, K mismatches". Status 1: some mismatched, or the
// state reached by changes is not the one programmed afresh. A case is repeated by its own seed
// (--seed S --cases 1); what failed is shrunk, saved under --regress, and judged first by later
// runs.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "base/log.h"
#include "differential/case_file.h"
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
  bool keep = true;
  std::string log_level = "error";
};

struct Totals {
  size_t cases = 0, verdicts = 0, allowed = 0, mismatches = 0, drifted = 0;
};

void report_mismatch(Wire& wire, uint64_t seed, const Options& options, const Mismatch& mismatch) {
  fmt::print("seed {}: {}\n", seed, mismatch.description);
  if (!options.keep) return;
  const auto shrunk = shrink(wire, options.trial.dataplane, mismatch);
  if (!shrunk) {
    fmt::print("  not shrunk: {}\n", shrunk.error().message);
    return;
  }
  const std::string file =
      fmt::format("{}/{}-{}.json", options.regress, options.trial.dataplane, seed);
  fmt::print("  shrunk to:\n{}", describe(*shrunk));
  const auto written = write_case(file, *shrunk);
  fmt::print("  {}\n", written ? "saved as " + file : written.error().message);
}

// The cases that failed once.
base::Result<> judge_known(Wire& wire, const Options& options, Totals& totals) {
  MARGAY_TRY(const auto cases, read_cases(options.regress));
  for (const auto& [name, known] : cases) {
    const auto wrong = disagrees(wire, options.trial.dataplane, known.model, known.packet);
    if (!wrong) return base::fail(base::Error(wrong.error()).wrap(name));
    if (!*wrong)
      return base::fail(base::ErrorCode::invalid, name + ": its packet has no determined way");
    ++totals.cases;
    ++totals.verdicts;
    if (!**wrong) continue;
    ++totals.mismatches;
    fmt::print("{}: again: {}\n", name, known.description);
  }
  return {};
}

base::Result<> judge_generated(Wire& wire, uint64_t seed, const Options& options, Totals& totals) {
  TrialOptions trial = options.trial;
  if (seed % 4 == 3) trial.workloads = k_many_workloads;
  const auto result = run_trial(wire, seed, trial);
  if (!result) return base::fail(base::Error(result.error()).wrap(fmt::format("seed {}", seed)));
  ++totals.cases;
  totals.verdicts += result->verdicts;
  totals.allowed += result->allowed;
  totals.mismatches += result->mismatches;
  if (!result->drift.empty()) {
    ++totals.drifted;
    fmt::print("seed {}: the state reached by changes is not the one programmed afresh:\n{}", seed,
               result->drift);
  }
  if (result->first) report_mismatch(wire, seed, options, *result->first);
  return {};
}

base::Result<int> run(const Options& options) {
  MARGAY_TRY(Wire wire, Wire::create(k_many_workloads));
  Totals totals;
  MARGAY_CHECK(judge_known(wire, options, totals));
  for (size_t i = 0; i < options.cases; ++i)
    MARGAY_CHECK(judge_generated(wire, options.seed + i, options, totals));
  fmt::print(
      "seeds {} to {}; {} packets allowed, {} denied; {} cases ended in a state of their own\n",
      options.seed, options.seed + options.cases - 1, totals.allowed,
      totals.verdicts - totals.allowed, totals.drifted);
  fmt::print("differential: {} cases, {} verdicts, {} mismatches\n", totals.cases, totals.verdicts,
             totals.mismatches);
  return totals.mismatches == 0 && totals.drifted == 0 && totals.verdicts > 0 ? 0 : 1;
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
  app.add_flag("--shrink,!--no-shrink", options.keep, "make failing cases small and save them");
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
