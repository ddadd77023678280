#pragma once

// Who did what, and how it ended: one event for each request, in the shape of Kubernetes'
// audit.k8s.io/v1 Event at level Metadata
// (https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/). Health checks, which need no
// identity, leave none.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "apiserver/attributes.h"
#include "apiserver/authorizer.h"
#include "apiserver/http_message.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace margay::apiserver {

struct AuditEvent {
  enum class Stage { response_started, response_complete };

  std::string id;                          // a UUID
  Stage stage = Stage::response_complete;  // response_started: of a watch
  const Request& request;  // its target, user, source and user agent; nothing of its body
  const Attributes& attributes;
  std::optional<Decision> decision = {};  // none: the authorizer was not asked
  int code = 200;
  std::string reason = {};   // of a refusal
  std::string message = {};  // the same
  base::Clock::Wall received;
  base::Clock::Wall answered;
};

// On one line, without its end.
std::string to_json(const AuditEvent& event);

// Safe from any thread. Called before the answer is sent.
class AuditSink {
 public:
  virtual ~AuditSink() = default;
  virtual void record(const AuditEvent& event) = 0;
};

class NoAudit final : public AuditSink {
 public:
  void record(const AuditEvent&) override {}
};

// A line of JSON for each event, at the end of a file that only its owner can read; each written as
// a whole, so that the file may be rotated by copying and truncating it. What cannot be written (a
// full disk) is logged and counted, and requests go on, as in Kubernetes.
class AuditLog final : public AuditSink {
 public:
  static base::Result<std::unique_ptr<AuditLog>> open(const std::string& path);
  // `lost`: called for each event that could not be written.
  void on_lost(std::function<void()> call) { lost_ = std::move(call); }
  void record(const AuditEvent& event) override;

 private:
  AuditLog(std::string path, base::UniqueFd file)
      : path_(std::move(path)), file_(std::move(file)) {}
  const std::string path_;
  const base::UniqueFd file_;
  std::function<void()> lost_;
};

}  // namespace margay::apiserver
