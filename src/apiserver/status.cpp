#include "apiserver/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "api/kind.h"

namespace margay::apiserver {
namespace {

using base::ErrorCode;
using base::FieldError;

json::object details_of(const api::Kind& kind, std::string_view name) {
  json::object details;
  if (!name.empty()) details["name"] = name;
  if (!kind.group.empty()) details["group"] = kind.group;
  details["kind"] = kind.plural;
  return details;
}

json::object envelope(std::string_view status) {
  return {
      {"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", json::object{}}, {"status", status}};
}

std::string cause_message(const FieldError& field) {
  const auto whole = field.message();
  const auto prefix = field.path + ": ";
  return whole.starts_with(prefix) ? whole.substr(prefix.size()) : whole;
}

Status invalid(const api::Kind& kind, std::string_view name, const base::Error& error) {
  auto details = json::object();
  if (!name.empty()) details["name"] = name;
  if (!kind.group.empty()) details["group"] = kind.group;
  details["kind"] = kind.name;
  json::array causes;
  std::string joined;
  for (const auto& field : error.fields) {
    causes.push_back(json::object{{"reason", base::cause_reason(field.type)},
                                  {"message", cause_message(field)},
                                  {"field", field.path}});
    joined += (joined.empty() ? "" : ", ") + field.message();
  }
  if (joined.empty()) joined = error.message;
  if (error.fields.size() > 1) joined = "[" + joined + "]";
  if (!causes.empty()) details["causes"] = std::move(causes);
  const auto type = kind.group.empty() ? kind.name : kind.name + "." + kind.group;
  return {422, "Invalid", fmt::format("{} \"{}\" is invalid: {}", type, name, joined),
          std::move(details)};
}

Status unknown_fields(const api::Kind& kind, const base::Error& error) {
  std::string list;
  for (const auto& field : error.fields)
    list += fmt::format("{}unknown field \"{}\"", list.empty() ? "" : ", ", field.path);
  return bad_request(
      fmt::format("{} in version \"{}\" cannot be handled as a {}: strict decoding error: {}",
                  kind.name, kind.version, kind.name, list));
}

bool only_unknown_fields(const base::Error& error) {
  return !error.fields.empty() && std::ranges::all_of(error.fields, [](const auto& field) {
    return field.type == FieldError::Type::unknown;
  });
}

}  // namespace

json::object Status::to_object() const {
  auto object = envelope("Failure");
  object["message"] = message;
  if (!reason.empty()) object["reason"] = reason;
  auto shown = details;
  if (retry_after_seconds > 0) shown["retryAfterSeconds"] = retry_after_seconds;
  if (!shown.empty()) object["details"] = std::move(shown);
  object["code"] = code;
  return object;
}

std::string Status::to_json() const { return json::serialize(to_object()); }

std::unexpected<Status> refuse(Status status) { return std::unexpected(std::move(status)); }

Status bad_request(std::string message) { return {400, "BadRequest", std::move(message)}; }

Status unauthorized() { return {401, "Unauthorized", "Unauthorized"}; }

Status path_not_found(std::string_view path) {
  return {
      404,
      "NotFound",
      "the server could not find the requested resource",
      {{"causes", json::array{json::object{{"reason", "UnexpectedServerResponse"},
                                           {"message", fmt::format("no such path: {}", path)}}}}}};
}

Status method_not_allowed() {
  return {405, "MethodNotAllowed",
          "the server does not allow this method on the requested resource"};
}

Status not_acceptable(std::string_view offered) {
  return {406, "NotAcceptable",
          fmt::format("only the following media types are accepted: {}", offered)};
}

Status unsupported_media_type(std::string_view got, std::string_view accepted) {
  return {415, "UnsupportedMediaType",
          fmt::format("the body of the request was in an unknown format ({}) - accepted media "
                      "types include: {}",
                      got, accepted)};
}

Status too_large(size_t limit_bytes) {
  return {413, "RequestEntityTooLarge",
          fmt::format("the request body is larger than the limit of {} bytes", limit_bytes)};
}

Status too_many_requests(int retry_after_seconds) {
  Status status{429, "TooManyRequests", "too many requests are being served, try again later"};
  status.retry_after_seconds = retry_after_seconds;
  return status;
}

Status stopping() {
  Status status{503, "ServiceUnavailable", "the server is stopping, try again later"};
  status.retry_after_seconds = 1;
  return status;
}

Status expired(std::string message) { return {410, "Expired", std::move(message)}; }

Status revision_too_large(int64_t asked, int64_t current) {
  Status status{504, "Timeout",
                fmt::format("Too large resource version: {}, current: {}", asked, current)};
  status.details["causes"] = json::array{json::object{{"reason", "ResourceVersionTooLarge"},
                                                      {"message", "Too large resource version"}}};
  status.retry_after_seconds = 1;
  return status;
}

Status not_implemented(std::string message) { return {501, "NotImplemented", std::move(message)}; }

Status internal(std::string message) {
  return {500, "InternalError", "Internal error occurred: " + std::move(message)};
}

Status not_found(const api::Kind& kind, std::string_view name) {
  return {404, "NotFound", fmt::format("{} \"{}\" not found", kind.resource(), name),
          details_of(kind, name)};
}

Status already_exists(const api::Kind& kind, std::string_view name) {
  return {409, "AlreadyExists", fmt::format("{} \"{}\" already exists", kind.resource(), name),
          details_of(kind, name)};
}

Status conflict(const api::Kind& kind, std::string_view name, std::string_view why) {
  return {409, "Conflict",
          fmt::format("Operation cannot be fulfilled on {} \"{}\": {}", kind.resource(), name, why),
          details_of(kind, name)};
}

Status forbidden(const api::Kind& kind, std::string_view name, std::string_view why) {
  return {403, "Forbidden", fmt::format("{} \"{}\" is forbidden: {}", kind.resource(), name, why),
          details_of(kind, name)};
}

Status from_error(const api::Kind& kind, std::string_view name, const base::Error& error) {
  switch (error.code) {
    case ErrorCode::invalid:
      return only_unknown_fields(error) ? unknown_fields(kind, error) : invalid(kind, name, error);
    case ErrorCode::not_found:
      return not_found(kind, name);
    case ErrorCode::already_exists:
      return already_exists(kind, name);
    case ErrorCode::conflict:
      return conflict(kind, name,
                      "the object has been modified; please apply your changes to the latest "
                      "version and try again");
    case ErrorCode::too_old:
      return expired(error.message);
    case ErrorCode::too_large:
      return {413, "RequestEntityTooLarge", error.message};
    case ErrorCode::unauthorized:
      return unauthorized();
    case ErrorCode::forbidden:
      return forbidden(kind, name, error.message);
    case ErrorCode::unsupported:
      return not_implemented(error.message);
    case ErrorCode::unavailable: {
      Status status{503, "ServiceUnavailable", error.message};
      status.retry_after_seconds = 1;
      return status;
    }
    case ErrorCode::timeout:
      return {504, "Timeout", error.message, details_of(kind, name)};
    case ErrorCode::internal:
      break;
  }
  return internal(error.message);
}

std::string deleted_json(const api::Kind& kind, std::string_view name, std::string_view uid) {
  auto object = envelope("Success");
  auto details = details_of(kind, name);
  details["uid"] = uid;
  object["details"] = std::move(details);
  return json::serialize(object);
}

}  // namespace margay::apiserver
