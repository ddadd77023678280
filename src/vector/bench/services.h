#pragma once

#include "vector/bench/bench.h"

namespace margay::vector::bench {

std::vector<Case> service_cases();

}  // namespace margay::vector::bench
