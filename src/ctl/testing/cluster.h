#pragma once

#include <string_view>

#include "ctl/cluster.h"

namespace margay::ctl::testing {

// The cluster of some objects, which must be valid.
Cluster cluster_of(std::string_view yaml);

}  // namespace margay::ctl::testing
