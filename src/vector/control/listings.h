#pragma once

// What the engine's control side knows by itself, as it is shown.

#include <boost/json/object.hpp>
#include <map>
#include <string>
#include <vector>

#include "vector/control/configured.h"
#include "vector/engine.h"
#include "vector/graph/nodes.h"

namespace margay::vector {

// The nodes of all workers together, drops left out.
boost::json::object nodes_json(const std::vector<std::vector<NodeCount>>& workers);
// By reason; those that never happened only with `all`.
boost::json::object drops_json(const std::vector<std::vector<NodeCount>>& workers, bool all);
// What each workload enforces, in order, and how many flows each rule decided.
boost::json::object policies_json(Engine& engine, const Configuration& configuration);
boost::json::object services_json(const ServiceTable& services);

}  // namespace margay::vector
