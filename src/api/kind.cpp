#include "api/kind.h"

#include <algorithm>
#include <iterator>

#include "api/calico/kinds.h"
#include "api/kubernetes/kinds.h"
#include "api/schema.h"

namespace margay::api {

namespace {

std::vector<Kind> all_kinds() {
  std::vector<Kind> all;
  for (auto* family :
       {calico::policy_kinds, calico::endpoint_kinds, calico::networking_kinds,
        calico::configuration_kinds, calico::bgp_kinds, calico::controller_kinds,
        calico::ipam_kinds, calico::stored_kinds, kubernetes::core_kinds, kubernetes::pod_kinds,
        kubernetes::node_kinds, kubernetes::service_kinds, kubernetes::network_policy_kinds})
    std::ranges::move(family(), std::back_inserter(all));
  return all;
}

}  // namespace

std::span<const Kind> kinds() {
  static const std::vector<Kind> all = all_kinds();
  return all;
}

const Kind* find_kind(std::string_view api_version, std::string_view name) {
  const auto found = std::ranges::find_if(kinds(), [&](const Kind& kind) {
    return kind.name == name && kind.api_version() == api_version;
  });
  return found == kinds().end() ? nullptr : &*found;
}

const Kind* find_resource(std::string_view resource) {
  const auto found = std::ranges::find(kinds(), resource, &Kind::resource);
  return found == kinds().end() ? nullptr : &*found;
}

base::Result<Prepared> prepare(const Kind& kind, json::object object, UnknownFields unknown) {
  Findings findings;
  json::value value(std::move(object));
  prepare_value(*kind.schema, value, {}, findings);
  Prepared prepared;
  for (const auto& path : findings.unknown_fields) {
    if (unknown == UnknownFields::refuse)
      Report(findings.errors, path).unknown();
    else if (unknown == UnknownFields::warn)
      prepared.warnings.push_back("unknown field \"" + path + "\"");
  }
  if (!findings.errors.empty()) return base::fail(std::move(findings.errors));
  prepared.object = std::move(value.get_object());
  return prepared;
}

base::Result<> check_update(const Kind& kind, const json::object& old_object,
                            const json::object& object) {
  std::vector<base::FieldError> errors;
  compare_update(*kind.schema, old_object, object, Report(errors));
  if (!errors.empty()) return base::fail(std::move(errors));
  return {};
}

}  // namespace margay::api
