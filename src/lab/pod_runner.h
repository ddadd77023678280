#pragma once

// A node's kubelet in small: makes the pods that are assigned to its node, reports their status,
// and takes them down when they are deleted. What it did before it was killed it finds again in
// its records.

#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "lab/sandbox.h"

namespace margay::lab {

class Cluster;

struct PodRunnerOptions {
  std::string node;
  std::vector<base::IPAddress> node_addresses;  // of host-network pods; the first is the host's
};

// Runs until told to stop (SIGTERM, SIGINT); the pods go on running.
base::Result<> run_pods(Cluster& cluster, const Sandboxes& sandboxes,
                        const PodRunnerOptions& options);

}  // namespace margay::lab
