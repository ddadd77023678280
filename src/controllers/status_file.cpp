#include "controllers/status_file.h"

#include <fmt/format.h>

#include <boost/json/object.hpp>

#include "api/codec.h"
#include "api/json_path.h"
#include "base/file.h"

namespace margay::controllers {

namespace json = boost::json;
using base::ErrorCode;
using base::Result;

Result<> write_status(const std::filesystem::path& file, const Readiness& readiness) {
  json::object parts;
  for (const auto& [name, condition] : readiness)
    parts[name] = json::object{{"Ready", condition.ready}, {"Reason", condition.reason}};
  return base::write_file(file, api::to_json(json::object{{"Readiness", std::move(parts)}}), 0644);
}

Result<Readiness> read_status(const std::filesystem::path& file) {
  MARGAY_TRY(const std::string text, base::read_file(file));
  const auto value = api::parse_json(text);
  if (!value) return base::fail(value.error().wrap(file.string()));
  if (!value->is_object())
    return base::fail(ErrorCode::internal, file.string() + ": is not an object");
  Readiness readiness;
  for (const auto& [name, each] : api::object_at(value->get_object(), {"Readiness"})) {
    Condition condition;
    if (const auto* object = each.if_object()) {
      condition.ready = api::flag_at(*object, {"Ready"});
      condition.reason = api::text_at(*object, {"Reason"});
    }
    readiness.emplace(std::string(name.data(), name.size()), std::move(condition));
  }
  return readiness;
}

Result<> check_ready(const std::filesystem::path& file) {
  MARGAY_TRY(const Readiness readiness, read_status(file));
  std::string reasons = readiness.empty() ? "nothing is known yet" : "";
  for (const auto& [name, condition] : readiness) {
    if (condition.ready) continue;
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", name, condition.reason);
  }
  if (reasons.empty()) return {};
  return base::fail(ErrorCode::unavailable, std::move(reasons));
}

Result<> check_live(const std::filesystem::path& file, std::chrono::seconds patience) {
  std::error_code error;
  const auto written = std::filesystem::last_write_time(file, error);
  if (error) return base::fail_errno(file.string(), error.value());
  const auto age = std::filesystem::file_time_type::clock::now() - written;
  if (age <= patience) return {};
  return base::fail(ErrorCode::unavailable,
                    fmt::format("{}: not written for {} s", file.string(),
                                std::chrono::duration_cast<std::chrono::seconds>(age).count()));
}

}  // namespace margay::controllers
