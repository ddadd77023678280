#include "dataplane/memory/memory_dataplane.h"

#include <fmt/format.h>

namespace margay::dataplane::memory {

Capabilities MemoryDataPlane::capabilities() const {
  return {
      .name = "memory", .host_endpoints = true, .services = true, .ipip = true, .wireguard = true};
}

void MemoryDataPlane::on_delta(const policy::Delta& delta) {
  ++deltas_;
  if (!broken_) return;
  if (const auto applied = desired_.apply(delta); !applied)
    broken_ = base::fail(applied.error().wrap(fmt::format("delta {}", deltas_)));
  if (const auto* gone = std::get_if<policy::WorkloadRemove>(&delta)) statuses_.remove(gone->key);
  if (const auto* gone = std::get_if<policy::HostEndpointRemove>(&delta))
    statuses_.remove(gone->key);
}

ApplyReport MemoryDataPlane::apply() {
  if (!broken_ || !desired_.in_sync) return {broken_, {}};
  programmed_ = desired_;
  for (const auto& [key, workload] : programmed_.workloads)
    statuses_.set(key, workload.endpoint.admin_up
                           ? EndpointStatus{}
                           : EndpointStatus{EndpointState::down, "administratively down"});
  for (const auto& [key, endpoint] : programmed_.host_endpoints) statuses_.set(key, {});
  return {{}, statuses_.take_changes()};
}

base::Result<> MemoryDataPlane::clean_up() {
  programmed_ = {};
  return {};
}

}  // namespace margay::dataplane::memory
