#include "dataplane/testing/recording_dataplane.h"

namespace margay::dataplane::testing {

RecordingDataPlane::RecordingDataPlane(Recorded& recorded, Upcalls& upcalls) : recorded_(recorded) {
  const std::scoped_lock lock(recorded_.mutex);
  recorded_.upcalls = &upcalls;
}

RecordingDataPlane::~RecordingDataPlane() {
  const std::scoped_lock lock(recorded_.mutex);
  recorded_.upcalls = nullptr;
}

Capabilities RecordingDataPlane::capabilities() const {
  const std::scoped_lock lock(recorded_.mutex);
  return recorded_.capabilities;
}

void RecordingDataPlane::on_delta(const policy::Delta& delta) {
  const std::scoped_lock lock(recorded_.mutex);
  recorded_.deltas.push_back(delta);
  if (const auto applied = desired_.apply(delta); !applied)
    recorded_.protocol_errors.push_back(applied.error().message);
  if (const auto* gone = std::get_if<policy::WorkloadRemove>(&delta)) statuses_.remove(gone->key);
  if (const auto* gone = std::get_if<policy::HostEndpointRemove>(&delta))
    statuses_.remove(gone->key);
  recorded_.changed.notify_all();
}

void RecordingDataPlane::on_interface(const Interface& interface) {
  const std::scoped_lock lock(recorded_.mutex);
  recorded_.interfaces[interface.name] = interface;
  recorded_.changed.notify_all();
}

void RecordingDataPlane::on_interface_removed(const std::string& name) {
  const std::scoped_lock lock(recorded_.mutex);
  recorded_.interfaces.erase(name);
  recorded_.changed.notify_all();
}

ApplyReport RecordingDataPlane::apply() {
  const std::scoped_lock lock(recorded_.mutex);
  ++recorded_.applies;
  recorded_.changed.notify_all();
  if (recorded_.failures_to_come > 0) {
    --recorded_.failures_to_come;
    return {base::fail(base::ErrorCode::unavailable, "the kernel is busy"), {}, {}};
  }
  recorded_.closed_start = true;
  if (!desired_.in_sync) return {{}, {}, recorded_.again_in};
  recorded_.programmed = desired_;
  report_endpoints();
  return {{}, statuses_.take_changes(), recorded_.again_in};
}

EndpointStatus RecordingDataPlane::status_of(const policy::WorkloadEndpoint& endpoint) const {
  if (const auto refused = recorded_.refused.find(endpoint.key); refused != recorded_.refused.end())
    return {EndpointState::error, refused->second};
  const auto interface = recorded_.interfaces.find(endpoint.interface_name);
  if (interface == recorded_.interfaces.end())
    return {EndpointState::down, "interface " + endpoint.interface_name + " is not there"};
  if (!interface->second.up)
    return {EndpointState::down, "interface " + endpoint.interface_name + " is down"};
  return {};
}

void RecordingDataPlane::report_endpoints() {
  for (const auto& [key, workload] : desired_.workloads)
    statuses_.set(key, status_of(workload.endpoint));
  for (const auto& [key, host] : desired_.host_endpoints) {
    const auto refused = recorded_.refused.find(key);
    statuses_.set(key, refused == recorded_.refused.end()
                           ? EndpointStatus{}
                           : EndpointStatus{EndpointState::error, refused->second});
  }
}

void RecordingDataPlane::resync(StateKind kind) {
  const std::scoped_lock lock(recorded_.mutex);
  ++recorded_.resyncs[kind];
  recorded_.changed.notify_all();
}

base::Result<> RecordingDataPlane::clean_up() {
  const std::scoped_lock lock(recorded_.mutex);
  recorded_.programmed = {};
  recorded_.closed_start = false;
  return {};
}

}  // namespace margay::dataplane::testing
