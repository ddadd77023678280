#include "apiserver/audit.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>

#include "apiserver/timestamp.h"

namespace margay::apiserver {
namespace {

std::string time_text(base::Clock::Wall time) {
  return to_micro_time(std::chrono::floor<std::chrono::microseconds>(time));
}

json::object object_reference(const Attributes& attributes) {
  json::object out{{"resource", attributes.resource}};
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) out[name] = value;
  };
  add("namespace", attributes.ns);
  add("name", attributes.name);
  add("apiGroup", attributes.api_group);
  add("apiVersion", attributes.api_version);
  add("subresource", attributes.subresource);
  return out;
}

json::object response_status(const AuditEvent& event) {
  json::object out{{"metadata", json::object{}}};
  if (event.code >= 400) out["status"] = "Failure";
  if (!event.message.empty()) out["message"] = event.message;
  if (!event.reason.empty()) out["reason"] = event.reason;
  out["code"] = event.code;
  return out;
}

}  // namespace

std::string to_json(const AuditEvent& event) {
  const bool started = event.stage == AuditEvent::Stage::response_started;
  const auto& request = event.request;
  json::object out{{"kind", "Event"},
                   {"apiVersion", "audit.k8s.io/v1"},
                   {"level", "Metadata"},
                   {"auditID", event.id},
                   {"stage", started ? "ResponseStarted" : "ResponseComplete"},
                   {"requestURI", request.target},
                   {"verb", event.attributes.verb},
                   {"user", user_info(request.user)}};
  if (!request.source.empty()) out["sourceIPs"] = json::array{json::string(request.source)};
  if (!request.user_agent.empty()) out["userAgent"] = request.user_agent;
  if (event.attributes.is_resource) out["objectRef"] = object_reference(event.attributes);
  out["responseStatus"] = response_status(event);
  out["requestReceivedTimestamp"] = time_text(event.received);
  out["stageTimestamp"] = time_text(event.answered);
  if (event.decision)
    out["annotations"] = {
        {"authorization.k8s.io/decision", event.decision->allowed ? "allow" : "forbid"},
        {"authorization.k8s.io/reason", event.decision->reason}};
  return json::serialize(out);
}

base::Result<std::unique_ptr<AuditLog>> AuditLog::open(const std::string& path) {
  base::UniqueFd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return base::fail_errno("the audit log " + path, errno);
  return std::unique_ptr<AuditLog>(new AuditLog(path, std::move(file)));
}

void AuditLog::record(const AuditEvent& event) {
  const auto line = to_json(event) + '\n';
  const auto written = ::write(file_.get(), line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return;
  spdlog::error("the audit log {} lost an event: {}", path_,
                written < 0 ? std::strerror(errno) : "the disk is full");
  if (lost_) lost_();
}

}  // namespace margay::apiserver
