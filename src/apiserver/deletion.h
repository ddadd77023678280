#pragma once

// What a DELETE does, decided without touching anything: DeleteOptions, preconditions, finalizers
// and graceful deletion.
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination)

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "api/kind.h"
#include "apiserver/http_message.h"
#include "apiserver/status.h"
#include "base/clock.h"
#include "store/store.h"

namespace margay::apiserver {

struct DeleteOptions {
  std::optional<int64_t> grace_seconds;
  std::optional<std::string> uid;  // only this incarnation
  std::optional<store::Revision> revision;
  bool dry_run = false;
};

// From the body (a DeleteOptions, may be empty) and the query, which the body overrides.
// propagationPolicy is checked and otherwise without effect: dependents are left as they are.
Answer<DeleteOptions> parse_delete_options(const Request& request, const Query& query);

struct Deletion {
  enum class Action { remove, mark, nothing };
  Action action = Action::remove;
  json::object marked = {};  // mark: the object with its deletionTimestamp
};

// `object` as parse_stored() gives it. A failed precondition is a 409.
Answer<Deletion> plan_deletion(const api::Kind& kind, const json::object& object,
                               const DeleteOptions& options, base::Clock::Wall now);

// Whether a write leaves an object that was only waiting for its finalizers to go.
bool is_finished(const api::Kind& kind, const json::object& object);

}  // namespace margay::apiserver
