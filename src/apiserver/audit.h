#pragma once

// Who did what, and how it ended: one event for each request, in the shape of Kubernetes'
// audit.k8s.io/v1 Event at level Metadata
// (https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/). Health checks, which need no
// identity, leave none.

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "apiserver/allowance.h"
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

// A line of JSON for each event, at the end of a file that only its owner can read. A regular file
// is put aside when it has grown, under its name with the time in it, and the oldest of those are
// removed. What cannot be written (a full disk) is counted, and requests go on, as in Kubernetes.
//
// What nobody known asks for, and is refused, is written at a rate that cannot push all else out;
// the rest of it is counted as lost.
class AuditLog final : public AuditSink {
 public:
  struct Limits {
    size_t bytes = 100 << 20;  // of the file; 0: it grows for ever
    size_t kept = 10;          // files put aside; 0: all
    double refusals_at_once = 100;
    double refusals_per_second = 10;
  };
  static base::Result<std::unique_ptr<AuditLog>> open(const std::string& path,
                                                      const Limits& limits);
  static base::Result<std::unique_ptr<AuditLog>> open(const std::string& path) {
    return open(path, Limits{});
  }
  // `lost`: called for each event that is not written.
  void on_lost(std::function<void()> call) { lost_ = std::move(call); }
  void record(const AuditEvent& event) override;

 private:
  AuditLog(std::string path, const Limits& limits)
      : path_(std::move(path)),
        limits_(limits),
        refusals_(limits.refusals_at_once, limits.refusals_per_second) {}

  base::Result<> open_file();
  bool write(std::string line);
  void put_aside(base::Clock::Wall now);
  void remove_oldest() const;
  void tell(bool written, int error);

  const std::string path_;
  const Limits limits_;
  Allowance refusals_;
  std::function<void()> lost_;

  std::mutex mutex_;  // of all below
  base::UniqueFd file_;
  bool is_regular_ = false;
  size_t bytes_ = 0;
  bool is_torn_ = false;     // the last line has no end
  bool is_failing_ = false;  // and has been told of
};

}  // namespace margay::apiserver
