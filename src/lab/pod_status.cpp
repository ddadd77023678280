#include "lab/pod_status.h"
#include "api/json_path.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/value_to.hpp>

namespace margay::lab {
namespace {

// A time once given stays.
std::string start_time(const json::object& pod, const std::string& now) {
  const auto time = api::text_at(pod, {"status", "startTime"});
  return time.empty() ? now : std::string(time);
}

json::object condition(std::string_view type, bool holds, const std::string& since) {
  return {{"type", type},
          {"status", holds ? "True" : "False"},
          {"lastProbeTime", nullptr},
          {"lastTransitionTime", since}};
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : "; ") + part;
  return out;
}

json::array container_statuses(const PodView& view, const RunningPod& running,
                               const std::string& started) {
  json::array out;
  for (const auto& container : view.containers) {
    out.push_back(json::object{{"name", container.name},
                               {"image", container.image},
                               {"imageID", ""},
                               {"containerID", "margay-lab://" + running.container_id},
                               {"ready", running.unserved.empty()},
                               {"started", true},
                               {"restartCount", 0},
                               {"state", {{"running", {{"startedAt", started}}}}}});
  }
  return out;
}

// A status without its times, for comparison.
json::value timeless(const json::value& value) {
  if (const auto* array = value.if_array()) {
    json::array out;
    for (const auto& element : *array) out.push_back(timeless(element));
    return out;
  }
  const auto* object = value.if_object();
  if (object == nullptr) return value;
  constexpr std::array<std::string_view, 4> k_times{"startTime", "startedAt", "lastProbeTime",
                                                    "lastTransitionTime"};
  json::object out;
  for (const auto& [key, member] : *object) {
    if (std::ranges::find(k_times, std::string_view(key)) == k_times.end()) {
      out[key] = timeless(member);
    }
  }
  return out;
}

}  // namespace

json::object running_status(const json::object& pod, const PodView& view,
                            const RunningPod& running) {
  const std::string started = start_time(pod, running.now);
  const bool ready = running.unserved.empty();
  json::array conditions{
      condition("Initialized", true, started), condition("Ready", ready, started),
      condition("ContainersReady", ready, started), condition("PodScheduled", true, started)};
  for (auto& entry : conditions) {
    auto& fields = entry.as_object();
    if (fields.at("status") == "True") continue;
    fields["reason"] = "PortsNotServed";
    fields["message"] = joined(running.unserved);
  }
  json::array addresses;
  for (const auto& address : running.addresses) addresses.push_back(json::object{{"ip", address}});
  return {{"phase", "Running"},
          {"conditions", conditions},
          {"hostIP", running.host_address},
          {"podIP", running.addresses.empty() ? "" : running.addresses.front()},
          {"podIPs", addresses},
          {"startTime", started},
          {"containerStatuses", container_statuses(view, running, started)},
          {"qosClass", "BestEffort"}};
}

json::object pending_status(const json::object& pod, std::string_view type, std::string_view reason,
                            std::string_view message, const std::string& now) {
  auto waiting = condition(type, false, start_time(pod, now));
  waiting["reason"] = reason;
  waiting["message"] = message;
  return {{"phase", "Pending"}, {"conditions", json::array{waiting}}};
}

bool has_status(const json::object& pod, const json::object& status) {
  const auto& current = api::object_at(pod, {"status"});
  return std::ranges::all_of(status, [&](const auto& member) {
    const auto* mine = current.if_contains(member.key());
    if (member.value().is_string() && (member.key() == "startTime")) return mine != nullptr;
    return mine != nullptr && timeless(*mine) == timeless(member.value());
  });
}

std::optional<json::object> with_ready_condition(const json::object& node, const std::string& now) {
  auto changed = node;
  auto& status = changed["status"];
  if (!status.is_object()) status.emplace_object();
  auto& conditions = status.get_object()["conditions"];
  if (!conditions.is_array()) conditions.emplace_array();
  auto& list = conditions.get_array();
  const auto found = std::ranges::find_if(list, [](const json::value& one) {
    return one.is_object() && api::text_at(one.get_object(), {"type"}) == "Ready";
  });
  if (found != list.end()) {
    if (api::text_at(found->get_object(), {"status"}) == "True") return std::nullopt;
    list.erase(found);
  }
  list.push_back(json::object{{"type", "Ready"},
                              {"status", "True"},
                              {"reason", "PodRunnerReady"},
                              {"message", "the lab's pod runner makes pods here"},
                              {"lastHeartbeatTime", now},
                              {"lastTransitionTime", now}});
  return changed;
}

}  // namespace margay::lab
