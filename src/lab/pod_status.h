#pragma once

// The status that a pod runner reports of its pods and its node, as a kubelet would. Pure
// functions.

#include <boost/json/object.hpp>
#include <optional>
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

// The node with a condition that says that pods may run on it; nothing when it says so already.
std::optional<json::object> with_ready_condition(const json::object& node, const std::string& now);

}  // namespace margay::lab
