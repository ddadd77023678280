#include "dataplane/endpoint_status.h"

namespace margay::dataplane {

std::string to_string(const EndpointKey& key) {
  if (const auto* workload = std::get_if<policy::WorkloadKey>(&key))
    return "workload endpoint " + workload->id();
  return "host endpoint " + std::get<policy::HostEndpointKey>(key).id();
}

std::string_view to_string(EndpointState state) {
  switch (state) {
    case EndpointState::up:
      return "up";
    case EndpointState::down:
      return "down";
    case EndpointState::error:
      break;
  }
  return "error";
}

void EndpointStatusTable::set(const EndpointKey& key, EndpointStatus status) {
  now_.insert_or_assign(key, std::move(status));
  touched_.insert(key);
}

void EndpointStatusTable::remove(const EndpointKey& key) {
  now_.erase(key);
  touched_.insert(key);
}

std::vector<EndpointReport> EndpointStatusTable::take_changes() {
  std::vector<EndpointReport> changes;
  for (const auto& key : std::exchange(touched_, {})) {
    const auto now = now_.find(key);
    const auto reported = reported_.find(key);
    if (now == now_.end()) {
      if (reported_.erase(key) > 0) changes.push_back({key, std::nullopt});
    } else if (reported == reported_.end() || reported->second != now->second) {
      reported_.insert_or_assign(key, now->second);
      changes.push_back({key, now->second});
    }
  }
  return changes;
}

}  // namespace margay::dataplane
