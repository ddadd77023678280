#include "api/derived_names.h"

#include <array>

#include "api/report.h"

namespace margay::api {

namespace {

struct DerivedNames {
  std::string_view resource;
  std::string_view prefix;
  const char* rule;
};

constexpr std::array k_derived{
    DerivedNames{"networkpolicies.projectcalico.org", "knp.",
                 "names that begin with knp. are those of Kubernetes NetworkPolicies"},
    DerivedNames{"profiles.projectcalico.org", "kns.",
                 "names that begin with kns. are those of namespaces' profiles"},
    DerivedNames{"profiles.projectcalico.org", "ksa.",
                 "names that begin with ksa. are those of service accounts' profiles"}};

}  // namespace

base::Result<> check_not_derived(const Kind& kind, const json::object& object) {
  const json::value* metadata = object.if_contains("metadata");
  if (metadata == nullptr || !metadata->is_object()) return {};
  std::vector<base::FieldError> errors;
  for (const char* field : {"name", "generateName"}) {
    const json::value* name = metadata->get_object().if_contains(field);
    if (name == nullptr || !name->is_string()) continue;
    for (const DerivedNames& derived : k_derived)
      if (kind.resource() == derived.resource && name->get_string().starts_with(derived.prefix))
        Report(errors).field("metadata").field(field).invalid(*name, derived.rule);
  }
  if (!errors.empty()) return base::fail(std::move(errors));
  return {};
}

}  // namespace margay::api
