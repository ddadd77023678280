#pragma once

// A refused request, as Kubernetes' meta/v1 Status tells it: clients switch on `reason` and `code`
// and print `message` and the causes. Reasons and codes: apimachinery's StatusReason constants.

#include <boost/json/object.hpp>
#include <expected>
#include <string>
#include <string_view>

#include "base/result.h"

namespace margay::api {
struct Kind;
}

namespace margay::apiserver {

namespace json = boost::json;

struct Status {
  int code = 500;
  std::string reason;   // "NotFound"; empty: unknown
  std::string message;  // a sentence
  json::object details = {};
  int retry_after_seconds = 0;  // 0: no advice

  json::object to_object() const;
  std::string to_json() const;
};

template <typename T = void>
using Answer = std::expected<T, Status>;

std::unexpected<Status> refuse(Status status);

// ---- refusals that are about no object ---------------------------------------------------------

Status bad_request(std::string message);
Status unauthorized();
Status path_not_found(std::string_view path);
Status method_not_allowed();
Status not_acceptable(std::string_view offered);
Status unsupported_media_type(std::string_view got, std::string_view accepted);
Status too_large(size_t limit_bytes);
Status too_many_requests(int retry_after_seconds);
Status stopping();  // 503
Status expired(std::string message);
Status revision_too_large(int64_t asked, int64_t current);
Status not_implemented(std::string message);
Status internal(std::string message);

// ---- refusals about an object
// --------------------------------------------------------------------

Status not_found(const api::Kind& kind, std::string_view name);
Status already_exists(const api::Kind& kind, std::string_view name);
Status conflict(const api::Kind& kind, std::string_view name, std::string_view why);
Status forbidden(const api::Kind& kind, std::string_view name, std::string_view why);

// Any error about the object `name`. Broken rules become 422 with one cause each, all at once;
// an object whose only faults are unknown fields (fieldValidation=Strict) is a 400 instead, as in
// Kubernetes.
Status from_error(const api::Kind& kind, std::string_view name, const base::Error& error);

// The success answer of a deletion that left nothing to show.
std::string deleted_json(const api::Kind& kind, std::string_view name, std::string_view uid);

}  // namespace margay::apiserver
