#pragma once

#include "vector/bench/bench.h"

namespace margay::vector::bench {

// What DPDK takes for the simplest things, in the same run on the same machine: tells what the
// other figures are worth.
std::vector<Case> yardsticks();

}  // namespace margay::vector::bench
