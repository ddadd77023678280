#pragma once

// The status a pod runner reports, as a kubelet would. Pure functions.

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "lab/pod.h"

namespace margay::lab {

struct RunningPod {
  std::string container_id;
  std::string host_address;
  std::vector<std::string> addresses;  // IPv4 first
  std::vector<std::string> unserved;   // ports that could not be opened, and why; then not Ready
  std::string now;                     // RFC 3339
};

json::object running_status(const json::object& pod, const PodView& view,
                            const RunningPod& running);

// A pod that waits: `reason` and `message` say for what ("Unschedulable", ...), in the condition
// `condition` ("PodScheduled", "Initialized", ...), which is False.
json::object pending_status(const json::object& pod, std::string_view condition,
                            std::string_view reason, std::string_view message,
                            const std::string& now);

// Whether `pod` already has a status that says the same, times aside.
bool has_status(const json::object& pod, const json::object& status);

}  // namespace margay::lab
