#pragma once

// Gives pods that name no node one: the node that matches the pod's nodeSelector and has the fewest
// pods, the first by name among equals. A pod that fits nowhere is told so, in its condition
// PodScheduled and an Event, and tried again when nodes change.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "lab/pod.h"

namespace margay::lab {

class Cluster;

struct SchedulableNode {
  std::string name;
  std::map<std::string, std::string, std::less<>> labels;
  size_t pods = 0;
};

// An Error is what the user is told: "0/2 nodes are available: ...".
base::Result<std::string> choose_node(const PodView& pod, std::span<const SchedulableNode> nodes);

// Schedules until told to stop (SIGTERM, SIGINT).
base::Result<> run_scheduler(Cluster& cluster);

}  // namespace margay::lab
