#pragma once

#include <vector>

#include "base/result.h"
#include "vector/control/configuration.h"

namespace margay::vector {

// What the parts of a configuration need of each other: names that are there, addresses and
// interfaces that nobody else has, and no more of anything than the engine can hold.
std::vector<base::FieldError> check(const Configuration& configuration);

}  // namespace margay::vector
