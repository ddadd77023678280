#include "store/kubernetes/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "api/json_path.h"
#include "store/kubernetes/object.h"

namespace margay::store::kubernetes {
namespace {

namespace json = boost::json;
using api::text_at;
using base::Error;
using base::ErrorCode;
using base::FieldError;

struct Meaning {
  std::string_view reason;
  unsigned status;  // for answers without a reason; 0: never
  ErrorCode code;
};

// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
constexpr std::array<Meaning, 19> k_meanings{{
    {"NotFound", 404, ErrorCode::not_found},
    {"AlreadyExists", 0, ErrorCode::already_exists},
    {"Conflict", 409, ErrorCode::conflict},
    {"Expired", 410, ErrorCode::too_old},
    {"Gone", 410, ErrorCode::too_old},
    {"Invalid", 422, ErrorCode::invalid},
    {"BadRequest", 400, ErrorCode::invalid},
    {"Unauthorized", 401, ErrorCode::unauthorized},
    {"Forbidden", 403, ErrorCode::forbidden},
    {"RequestEntityTooLarge", 413, ErrorCode::too_large},
    {"MethodNotAllowed", 405, ErrorCode::unsupported},
    {"NotAcceptable", 406, ErrorCode::unsupported},
    {"UnsupportedMediaType", 415, ErrorCode::unsupported},
    {"TooManyRequests", 429, ErrorCode::unavailable},
    {"ServerTimeout", 0, ErrorCode::unavailable},
    {"ServiceUnavailable", 503, ErrorCode::unavailable},
    {"Timeout", 504, ErrorCode::timeout},
    {"InternalError", 500, ErrorCode::internal},
    {"", 502, ErrorCode::unavailable},
}};

ErrorCode code_of(std::string_view reason, unsigned status) {
  const auto by_reason = std::ranges::find(k_meanings, reason, &Meaning::reason);
  if (!reason.empty() && by_reason != k_meanings.end()) return by_reason->code;
  const auto by_status = std::ranges::find(k_meanings, status, &Meaning::status);
  if (by_status != k_meanings.end()) return by_status->code;
  return status >= 400 && status < 500 ? ErrorCode::invalid : ErrorCode::internal;
}

// The cause's message is what FieldError::message() says after the path.
FieldError to_field_error(const json::object& cause) {
  FieldError field;
  field.path = text_at(cause, {"field"});
  field.detail = text_at(cause, {"message"});
  const auto reason = text_at(cause, {"reason"});
  using Type = FieldError::Type;
  for (const auto type : {Type::invalid, Type::required, Type::not_supported, Type::duplicate,
                          Type::forbidden, Type::unknown, Type::too_long}) {
    const std::string name(base::to_string(type));
    if (base::cause_reason(type) == reason) field.type = type;
    if (!field.detail.starts_with(name)) continue;
    field.type = type;
    field.detail.erase(0, name.size());
    if (field.detail.starts_with(": ")) field.detail.erase(0, 2);
    return field;
  }
  return field;
}

}  // namespace

Error to_error(const json::object& status, unsigned http_status) {
  Error error{code_of(text_at(status, {"reason"}), http_status),
              std::string(text_at(status, {"message"})),
              {}};
  if (error.message.empty())
    error.message = fmt::format("the server answered with status {}", http_status);
  for (const auto& cause : api::list_at(status, {"details", "causes"}))
    if (cause.is_object()) error.fields.push_back(to_field_error(cause.get_object()));
  return error;
}

Error to_error(const HttpsResponse& response) {
  const auto status = parse_object(response.body);
  if (status && text_at(*status, {"kind"}) == "Status") return to_error(*status, response.status);
  auto error = to_error(json::object(), response.status);
  if (!response.body.empty() && response.body.size() < 200) error.message += ": " + response.body;
  return error;
}

}  // namespace margay::store::kubernetes
