#include "ctl/validation.h"

#include <fmt/format.h>

#include "api/codec.h"
#include "api/schema.h"
#include "ctl/go_text.h"

namespace margay::ctl {
namespace {

std::string field_text(const base::FieldError& field) {
  auto text = field.path;
  if (const auto value = api::parse_json(field.value); value && !field.value.empty())
    text += fmt::format(" = '{}'", go_text(*value));
  const auto rule = field.detail.empty() ? std::string(base::to_string(field.type)) : field.detail;
  return fmt::format("{} ({})", text, rule);
}

}  // namespace

base::Result<> validate(const ResourceType& type, json::object object) {
  auto prepared = api::prepare(*type.kind, std::move(object), api::UnknownFields::refuse);
  if (!prepared) return base::fail(std::move(prepared).error());
  return {};
}

base::Result<> validate_metadata(const ResourceType& type, const json::object& object) {
  const auto* given = object.if_contains("metadata");
  if (given == nullptr || given->is_null()) return {};
  json::value metadata = *given;
  api::Findings findings;
  api::prepare_value(*type.kind->schema->find("metadata")->schema, metadata, "metadata", findings);
  for (const auto& path : findings.unknown_fields)
    findings.errors.push_back(
        {.type = base::FieldError::Type::unknown, .path = path, .value = {}, .detail = {}});
  if (!findings.errors.empty()) return base::fail(std::move(findings.errors));
  return {};
}

std::string field_errors_text(const std::vector<base::FieldError>& fields) {
  if (fields.size() == 1) return "error with field " + field_text(fields.front());
  std::string text = "error with the following fields:\n";
  for (const auto& field : fields) text += fmt::format("-  {}\n", field_text(field));
  return text;
}

}  // namespace margay::ctl
