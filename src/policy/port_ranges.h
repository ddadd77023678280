#pragma once

#include <vector>

#include "policy/model.h"

namespace margay::policy {

// The least list of disjoint ranges that covers the same ports, ascending.
std::vector<PortRange> merged(std::vector<PortRange> ports);

}  // namespace margay::policy
