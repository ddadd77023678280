#pragma once

#include "base/result.h"
#include "net/network_namespace.h"

namespace margay::lab {

// Asks the agent in that namespace: GET http://localhost:9099/readiness. An Error says what it
// answered, or that nobody did.
base::Result<> check_agent_ready(const net::NetworkNamespace& node);

}  // namespace margay::lab
