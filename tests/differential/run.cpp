#include "differential/run.h"

#include <fmt/format.h>

#include "differential/case_file.h"
#include "differential/shrink.h"

namespace margay::differential {
namespace {

struct Totals {
  size_t cases = 0, known = 0, mismatches = 0, drifted = 0;
  std::map<std::string, Verdicts> ways;
};

void report_mismatch(Subject& subject, uint64_t seed, const Options& options,
                     const Mismatch& mismatch) {
  fmt::print("seed {}: {}\n", seed, mismatch.description);
  if (!options.keep) return;
  const auto shrunk = shrink(subject, mismatch);
  if (!shrunk) {
    fmt::print("  not shrunk: {}\n", shrunk.error().message);
    return;
  }
  const std::string file = fmt::format("{}/{}-{}.json", options.regress, options.dataplane, seed);
  fmt::print("  shrunk to:\n{}", describe(*shrunk));
  const auto written = write_case(file, *shrunk);
  fmt::print("  {}\n", written ? "saved as " + file : written.error().message);
}

// The cases that failed once.
base::Result<> judge_known(Subject& subject, const Options& options, Totals& totals) {
  MARGAY_TRY(const auto cases, read_cases(options.regress));
  for (const auto& [name, known] : cases) {
    const auto wrong = disagrees(subject, known);
    if (!wrong) return base::fail(base::Error(wrong.error()).wrap(name));
    if (!*wrong)
      return base::fail(base::ErrorCode::invalid, name + ": its packet has no determined way");
    ++totals.cases;
    ++totals.known;
    if (!**wrong) continue;
    ++totals.mismatches;
    fmt::print("{}: again: {}\n", name, known.description);
  }
  return {};
}

base::Result<> judge_generated(Subject& subject, uint64_t seed, const Options& options,
                               Totals& totals) {
  TrialOptions trial = options.trial;
  if (seed % 4 == 3) trial.workloads = k_many_workloads;
  const auto result = run_trial(subject, seed, trial);
  if (!result) return base::fail(base::Error(result.error()).wrap(fmt::format("seed {}", seed)));
  ++totals.cases;
  for (const auto& [way, verdicts] : result->ways) {
    totals.ways[way].allow += verdicts.allow;
    totals.ways[way].deny += verdicts.deny;
  }
  totals.mismatches += result->mismatches;
  if (!result->drift.empty()) {
    ++totals.drifted;
    fmt::print("seed {}: the state reached by changes is not the one programmed afresh:\n{}", seed,
               result->drift);
  }
  if (result->first) report_mismatch(subject, seed, options, *result->first);
  return {};
}

}  // namespace

void add_options(CLI::App& app, Options& options) {
  app.add_option("--cases", options.cases, "generated cases");
  app.add_option("--packets", options.trial.packets, "packets in each");
  app.add_option("--candidates", options.trial.candidates,
                 "looked at for each packet; 1 for many packets");
  app.add_option("--seed", options.seed, "of the first case; each next has the next seed");
  app.add_option("--regress", options.regress, "folder for cases that fail");
  app.add_flag("--shrink,!--no-shrink", options.keep, "make failing cases small and save them");
  app.add_option("--log-level", options.log_level, "of the parts under test");
}

base::Result<int> run(Subject& subject, const Options& options) {
  Totals totals;
  MARGAY_CHECK(judge_known(subject, options, totals));
  for (size_t i = 0; i < options.cases; ++i)
    MARGAY_CHECK(judge_generated(subject, options.seed + i, options, totals));
  size_t verdicts = totals.known;
  for (const auto& [way, expected] : totals.ways) {
    fmt::print("{}: {} packets to be allowed, {} to be denied\n", way, expected.allow,
               expected.deny);
    verdicts += expected.allow + expected.deny;
  }
  fmt::print("seeds {} to {}; {} cases ended in a state of their own\n", options.seed,
             options.seed + options.cases - 1, totals.drifted);
  fmt::print("differential: {} cases, {} verdicts, {} mismatches\n", totals.cases, verdicts,
             totals.mismatches);
  return totals.mismatches == 0 && totals.drifted == 0 && verdicts > 0 ? 0 : 1;
}

}  // namespace margay::differential
