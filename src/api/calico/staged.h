#pragma once

// Staged policies: the spec of a policy and whether it would be set or deleted (Calico v3.30's
// StagedNetworkPolicy reference).

#include <string>
#include <utility>

#include "api/calico.h"
#include "api/describe.h"

namespace margay::api {

namespace kubernetes {
Described<NetworkPolicy> network_policy_spec();
}  // namespace kubernetes

namespace calico {

// The fields of a policy's spec and `stagedAction`. With Set they are defaulted and checked as the
// policy's are; with Delete none may be there but the tier.
std::shared_ptr<Schema> staged_schema(const std::shared_ptr<Schema>& policy, std::string name);

template <typename Staged, typename Spec>
Described<Staged> staged(const Described<Spec>& policy, std::string name) {
  return {staged_schema(policy.schema(), std::move(name)),
          {[policy](const json::value& value, Staged& into) -> base::Result<> {
             MARGAY_CHECK(policy.read(value, into));
             const auto* action = value.get_object().if_contains("stagedAction");
             const auto* text = action != nullptr ? action->if_string() : nullptr;
             into.staged_action = text != nullptr ? std::string(*text) : "Set";
             return {};
           },
           [policy](const Staged& from) -> json::value {
             json::value value = policy.write(from);
             value.get_object()["stagedAction"] = from.staged_action;
             return value;
           }}};
}

}  // namespace calico

}  // namespace margay::api
