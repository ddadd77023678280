#include "node/data_plane_reports.h"

#include <limits.h>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/file.h"

namespace margay::node {
namespace {

using dataplane::EndpointReport;
using dataplane::EndpointState;
using dataplane::EndpointStatus;

// RFC 3986's unreserved characters and those that a path segment may have besides stay as they are.
std::string escaped(std::string_view text) {
  constexpr std::string_view k_plain = "-_.~$&+=:@";
  std::string out;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || k_plain.contains(c);
    if (plain)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

bool is_up(const EndpointReport& report) {
  return report.status && report.status->state == EndpointState::up;
}

void log(const EndpointReport& report, const EndpointStatus* before) {
  const std::string key = dataplane::to_string(report.key);
  if (!report.status) return spdlog::debug("{} is gone", key);
  if (report.status->state == EndpointState::error)
    return spdlog::error("{}: {}", key, report.status->reason);
  if (report.status->state == EndpointState::down)
    return spdlog::info("{} is down: {}", key, report.status->reason);
  if (before != nullptr && before->state == EndpointState::error)
    return spdlog::info("{} is up again", key);
  spdlog::debug("{} is up", key);
}

}  // namespace

std::string status_file_name(const policy::WorkloadKey& key) {
  return escaped(key.orchestrator) + " " + escaped(key.workload) + " " + escaped(key.endpoint);
}

DataPlaneReports::DataPlaneReports(Options options, AgentMetrics& metrics)
    : options_(std::move(options)), metrics_(metrics) {}

void DataPlaneReports::on_endpoint_status(const EndpointReport& report) {
  const std::scoped_lock lock(mutex_);
  const auto before = statuses_.find(report.key);
  const bool known = before != statuses_.end();
  log(report, known ? &before->second : nullptr);
  if (report.status && report.status->state == EndpointState::error)
    metrics_.log_errors.Increment();
  if (report.status)
    statuses_.insert_or_assign(report.key, *report.status);
  else
    statuses_.erase(report.key);
  count();
  keep_file(report);
}

void DataPlaneReports::count() {
  std::map<EndpointState, int> counts;
  for (const auto& [key, status] : statuses_) ++counts[status.state];
  for (const EndpointState state : dataplane::k_endpoint_states)
    metrics_.data_plane_endpoints.at(state)->Set(counts[state]);
}

void DataPlaneReports::keep_file(const EndpointReport& report) {
  const auto* workload = std::get_if<policy::WorkloadKey>(&report.key);
  if (workload == nullptr || options_.status_directory.empty()) return;
  const std::string name = status_file_name(*workload);
  if (name.size() > NAME_MAX) return;  // it can have no file, and whoever waits for one knows
  const auto path = options_.status_directory / name;
  base::Result<> kept;
  if (is_up(report)) {
    written_.insert(name);
    kept = base::write_file(path, "{\"status\":\"up\"}\n", 0644);
  } else {
    written_.erase(name);
    kept = base::remove_file(path);
  }
  if (!kept) {
    metrics_.log_errors.Increment();
    spdlog::error("endpoint status: {}", kept.error().message);
  }
}

void DataPlaneReports::on_all_reported() {
  const std::scoped_lock lock(mutex_);
  if (options_.status_directory.empty()) return;
  std::error_code error;  // no directory: no files
  std::filesystem::directory_iterator file(options_.status_directory, error);
  for (; !error && file != std::filesystem::directory_iterator(); file.increment(error)) {
    if (written_.contains(file->path().filename())) continue;
    if (const auto removed = base::remove_file(file->path()); !removed)
      spdlog::error("endpoint status: {}", removed.error().message);
  }
}

void DataPlaneReports::on_flows(std::span<const dataplane::FlowRecord> records) {
  for (const auto& record : records) {
    const bool allowed = record.action == policy::Action::allow;
    auto& packets = allowed ? metrics_.flow_packets_allowed : metrics_.flow_packets_denied;
    packets.Increment(static_cast<double>(record.packets));
  }
}

void DataPlaneReports::on_public_key(const dataplane::PublicKey& key) {
  if (options_.on_public_key) options_.on_public_key(key);
}

}  // namespace margay::node
