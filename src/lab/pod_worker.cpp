#include "lab/pod_worker.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/clock.h"
#include "lab/cluster.h"
#include "lab/pod.h"
#include "lab/pod_status.h"

namespace margay::lab {

using base::ErrorCode;
using base::Result;

namespace {

std::string now() { return base::to_rfc3339(base::SystemClock().wall_time()); }

// A pod that changed or went meanwhile: an event about it is on its way.
bool is_overtaken(const base::Error& error) {
  return error.code == ErrorCode::conflict || error.code == ErrorCode::not_found;
}

}  // namespace

Result<PodRecord> PodWorker::run(const json::object& pod) const {
  auto record = try_run(pod);
  if (!record) {
    if (auto told =
            cluster_.record_event(pod, "Warning", "FailedCreatePodSandBox", record.error().message);
        !told) {
      spdlog::warn("event: {}", told.error().message);
    }
  }
  return record;
}

Result<PodRecord> PodWorker::try_run(const json::object& pod) const {
  MARGAY_TRY(const auto view, PodView::read(pod));
  PodRecord wanted{
      .ns = view.ns, .name = view.name, .uid = view.uid, .host_network = view.host_network};
  wanted.ports = view.ports();
  if (view.host_network) wanted.addresses = options_.node_addresses;
  MARGAY_TRY(auto record, sandboxes_.ensure(std::move(wanted)));
  if (auto reported = report(pod, record); !reported && !is_overtaken(reported.error())) {
    return base::fail(std::move(reported).error());
  }
  return record;
}

Result<> PodWorker::report(const json::object& pod, const PodRecord& record) const {
  MARGAY_TRY(const auto view, PodView::read(pod));
  MARGAY_TRY(const auto server, sandboxes_.report(record));
  RunningPod running{.container_id = record.container_id,
                     .host_address = options_.node_addresses.front().to_string(),
                     .unserved = server.unserved,
                     .now = now()};
  auto addresses = record.addresses;
  std::ranges::stable_sort(addresses, {}, &base::IPAddress::family);
  for (const auto& address : addresses) running.addresses.push_back(address.to_string());
  auto status = running_status(pod, view, running);
  if (has_status(pod, status)) return {};
  return cluster_.set_status(pod, std::move(status));
}

Result<> PodWorker::stop(const std::string& uid, const std::optional<json::object>& pod) const {
  MARGAY_TRY(const auto records, sandboxes_.records());
  const auto found = std::ranges::find(records, uid, &PodRecord::uid);
  if (found != records.end()) MARGAY_CHECK(sandboxes_.remove(*found));
  if (!pod) return {};
  MARGAY_TRY(const auto view, PodView::read(*pod));
  return view.deleting ? cluster_.finish_deletion(*pod) : Result<>{};
}

}  // namespace margay::lab
