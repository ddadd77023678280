#pragma once

// DPDK's ports of an engine's interfaces: one queue for each worker in both directions, started.

#include <rte_mempool.h>

#include <string>

#include "base/result.h"
#include "vector/control/configuration.h"
#include "vector/engine.h"

namespace margay::vector {

// The device must have been given to the EAL. What is not said of the engine's own MAC address is
// that of the port; towards a workload ee:ee:ee:ee:ee:ee, as Calico has it.
base::Result<InterfaceConfig> start_port(const InterfaceSettings& settings, unsigned queues,
                                         rte_mempool* buffers);
void stop_ports();

}  // namespace margay::vector
