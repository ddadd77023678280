#include "api/calico/staged.h"

namespace margay::api::calico {

namespace {

constexpr const char* k_action = "stagedAction";

bool is_deletion(const json::value& spec) {
  const auto* action = spec.get_object().if_contains(k_action);
  return action != nullptr && *action == "Delete";
}

// As prepare_value() does it for the policy's own spec.
void complete(const Schema& policy, json::value& spec) {
  for (const auto& field : policy.fields)
    if (field.default_value && !spec.get_object().contains(field.name))
      spec.get_object()[field.name] = *field.default_value;
  for (const auto& normalize : policy.normalizers) normalize(spec);
}

void check(const Schema& policy, const json::value& spec, const Report& report) {
  if (!is_deletion(spec)) {
    for (const auto& look : policy.checks) look(spec, report);
    return;
  }
  for (const auto& [name, value] : spec.get_object())
    if (name != k_action && name != "tier")
      report.field(std::string(name)).forbidden("must not be set when stagedAction is Delete");
}

}  // namespace

std::shared_ptr<Schema> staged_schema(const std::shared_ptr<Schema>& policy, std::string name) {
  auto schema = std::make_shared<Schema>(*policy);
  schema->name = std::move(name);
  for (auto& field : schema->fields) {
    if (field.name == "tier") continue;
    field.default_value.reset();
    field.is_required = false;
  }
  schema->fields.insert(
      schema->fields.begin(),
      {.name = k_action,
       .schema = string().one_of({"Set", "Delete"}).schema(),
       .doc = "Whether the policy would be made or changed to this, or be deleted.",
       .default_value = json::value("Set")});
  schema->normalizers = {[policy](json::value& spec) {
    if (!is_deletion(spec)) complete(*policy, spec);
  }};
  schema->checks = {
      [policy](const json::value& spec, const Report& report) { check(*policy, spec, report); }};
  return schema;
}

}  // namespace margay::api::calico
