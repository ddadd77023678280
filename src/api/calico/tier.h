#pragma once

// Tiers, and which of them a policy is in (Calico v3.29's Tier reference).

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "api/calico.h"
#include "api/describe.h"

namespace margay::api {

template <>
const Resource<Tier>& resource<Tier>();

namespace calico {

// The tiers that always exist, in their order; what they are is not the user's to say.
struct BuiltInTier {
  std::string_view name;
  int64_t order;
  std::string_view default_action;
};
std::span<const BuiltInTier> built_in_tiers();
const BuiltInTier* find_built_in_tier(std::string_view name);  // null: it is none of them

inline constexpr std::string_view k_tier_label = "projectcalico.org/tier";

// A policy's `tier`.
Described<std::string> tier_name();
// Which tier a policy's name says: `default` unless it begins with another and a dot. A policy that
// the API lets through is in that one.
std::string_view tier_of_name(std::string_view policy);
// A policy's spec: the tier does not change. Where there is none, from before there were tiers, it
// is `default`.
void keeps_tier(const json::value& before, const json::value& after, const Report& report);

// Names of policies: in tier `default` those that `plain` lets through, in others the tier, a dot
// and one without a dot. For describe_kind(); which tier it is, in_tier() looks at.
NameRule in_any_tier(NameRule plain);

// Of a policy's whole object: writes the tier into its label, and holds its name against it.
void label_tier(json::value& policy);
void check_name_in_tier(const json::value& policy, const NameRule& plain, const Report& report);

// A kind whose objects are in tiers.
template <typename T>
Resource<T> in_tier(Resource<T> described, NameRule plain) {
  described.type =
      std::move(described.type)
          .normalize(label_tier)
          .check_json([plain = std::move(plain)](const json::value& policy, const Report& report) {
            check_name_in_tier(policy, plain, report);
          });
  return described;
}

}  // namespace calico

}  // namespace margay::api
