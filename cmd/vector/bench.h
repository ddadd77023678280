#pragma once

#include <string>

#include "base/result.h"

namespace margay::vector {

struct BenchOptions {
  std::string filter = "*";
  int core = -1;  // -1: the last one that this process may run on
  std::string output = "text";
  unsigned memory_mib = 1024;
};

// Runs the cases whose names match; prints each result as soon as it is there. The exit status: 1
// when a case failed, or was wrong.
base::Result<int> run_bench(const BenchOptions& options);

}  // namespace margay::vector
