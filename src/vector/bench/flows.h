#pragma once

#include "vector/bench/bench.h"

namespace margay::vector::bench {

std::vector<Case> established_cases();
std::vector<Case> new_flow_cases();

}  // namespace margay::vector::bench
