#include "apiserver/audit.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "apiserver/authenticate.h"
#include "apiserver/timestamp.h"
#include "base/utf8.h"

namespace margay::apiserver {
namespace {

std::string beginning_of(const std::string& message) {
  constexpr size_t k_most = 1'024;
  return base::to_utf8(std::string_view(message).substr(0, k_most)) +
         (message.size() > k_most ? "..." : "");
}

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
  if (!event.message.empty()) out["message"] = beginning_of(event.message);
  if (!event.reason.empty()) out["reason"] = event.reason;
  out["code"] = event.code;
  return out;
}

// Whether a file of that name is one that put_aside() made of `path`: "<stem>-<time><extension>".
bool is_aside(const std::filesystem::path& path, std::string_view name) {
  const auto head = path.stem().string() + "-";
  const auto tail = path.extension().string();
  constexpr std::string_view k_time = "2026-11-26T12-00-00.000000Z";
  if (name.size() != head.size() + k_time.size() + tail.size()) return false;
  if (!name.starts_with(head) || !name.ends_with(tail)) return false;
  const auto time = name.substr(head.size(), k_time.size());
  return std::ranges::equal(time, k_time, [](char a, char b) {
    return b >= '0' && b <= '9' ? a >= '0' && a <= '9' : a == b;
  });
}

bool is_nobodys(const AuditEvent& event) { return event.request.user.name == anonymous().name; }

// What nobody known asks for may be as long as headers may be, and says nothing at its end.
std::string uri_of(const AuditEvent& event) {
  constexpr size_t k_most = 512;
  std::string_view uri = event.request.target;
  if (!is_nobodys(event) || uri.size() <= k_most) return base::to_utf8(uri);
  return base::to_utf8(uri.substr(0, k_most)) + "...";
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
                   {"requestURI", uri_of(event)},
                   {"verb", event.attributes.verb},
                   {"user", user_info(request.user)}};
  if (!request.source.empty()) out["sourceIPs"] = json::array{json::string(request.source)};
  if (!request.user_agent.empty()) out["userAgent"] = base::to_utf8(request.user_agent);
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

base::Result<std::unique_ptr<AuditLog>> AuditLog::open(const std::string& path,
                                                       const Limits& limits) {
  std::unique_ptr<AuditLog> log(new AuditLog(path, limits));
  MARGAY_CHECK(log->open_file());
  return log;
}

base::Result<> AuditLog::open_file() {
  // What takes nothing more (a pipe that nobody reads) loses events: nobody waits for it.
  base::UniqueFd file(
      ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0)
    return base::fail_errno("the audit log " + path_, errno);
  file_ = std::move(file);
  is_regular_ = S_ISREG(status.st_mode);
  bytes_ = is_regular_ ? static_cast<size_t>(status.st_size) : 0;
  return {};
}

void AuditLog::record(const AuditEvent& event) {
  if (is_nobodys(event) && !refusals_.take(event.answered)) {
    if (lost_) lost_();
    return;
  }
  auto line = to_json(event) + '\n';
  const std::lock_guard lock(mutex_);
  const bool is_full = limits_.bytes != 0 && bytes_ != 0 && bytes_ + line.size() > limits_.bytes;
  if (is_regular_ && is_full) put_aside(event.answered);
  if (!write(std::move(line)) && lost_) lost_();
}

bool AuditLog::write(std::string line) {
  if (is_torn_) line.insert(0, 1, '\n');
  const auto written = ::write(file_.get(), line.data(), line.size());
  const bool is_whole = written == static_cast<ssize_t>(line.size());
  tell(is_whole, written < 0 ? errno : ENOSPC);
  if (written > 0) {
    bytes_ += static_cast<size_t>(written);
    is_torn_ = !is_whole;
  }
  return is_whole;
}

// Once when it begins and once when it is over: a full disk may be where the log is, too.
void AuditLog::tell(bool written, int error) {
  if (std::exchange(is_failing_, !written) == !written) return;
  if (written)
    spdlog::info("the audit log {} is written again", path_);
  else
    spdlog::error("the audit log {} loses events: {}", path_, std::strerror(error));
}

void AuditLog::put_aside(base::Clock::Wall now) {
  namespace fs = std::filesystem;
  const fs::path path(path_);
  auto time = time_text(now);
  std::ranges::replace(time, ':', '-');
  const auto aside = path.parent_path() /
                     fmt::format("{}-{}{}", path.stem().string(), time, path.extension().string());
  std::error_code error;
  fs::rename(path, aside, error);
  // Where there is none any more, somebody took it, or the last time ended half way: begun anew.
  const bool is_moved = !error || error == std::errc::no_such_file_or_directory;
  const auto opened =
      is_moved ? open_file() : base::fail(base::ErrorCode::internal, error.message());
  if (!opened) spdlog::error("the audit log {} grows: {}", path_, opened.error().message);
  if (!opened) bytes_ = 0;  // tried again after as much again
  is_torn_ = is_torn_ && !opened;
  remove_oldest();
}

void AuditLog::remove_oldest() const {
  namespace fs = std::filesystem;
  if (limits_.kept == 0) return;
  const fs::path path(path_);
  const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::vector<fs::path> aside;  // names in the order of their times
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (is_aside(path, at->path().filename().string())) aside.push_back(at->path());
  std::ranges::sort(aside);
  for (size_t i = 0; i + limits_.kept < aside.size(); ++i) fs::remove(aside[i], error);
}

}  // namespace margay::apiserver
