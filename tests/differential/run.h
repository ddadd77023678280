#pragma once

// Generated policies x endpoints x packets: a data plane's real verdicts against the reference
// evaluator.

#include <CLI/CLI.hpp>
#include <string>

#include "differential/trial.h"

namespace margay::differential {

struct Options {
  std::string dataplane;
  TrialOptions trial;
  size_t cases = 200;
  uint64_t seed = 1;
  std::string regress = "tests/regress";
  bool keep = true;
  std::string log_level = "error";
};

void add_options(CLI::App& app, Options& options);

// Ends with "differential: N cases, M verdicts, K mismatches". Returns 1 when some mismatched, or
// the state reached by changes is not the one programmed afresh. A case is repeated by its own seed
// (--seed S --cases 1); what failed is shrunk, saved under --regress, and judged first by later
// runs.
base::Result<int> run(Subject& subject, const Options& options);

}  // namespace margay::differential
