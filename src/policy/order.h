#pragma once

// The order in which tiers and policies are consulted (docs/policy.md, "Order"): by `order`, an
// unset one last; ties by name, for policies by PolicyKey::stored_id(), compared as bytes.

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "policy/model.h"

namespace margay::policy {

// Where something stands among its peers.
struct Rank {
  double order = 0;  // infinity when unset
  std::string name;
  // Orders are never NaN, so they compare totally.
  std::strong_ordering operator<=>(const Rank& other) const;
  bool operator==(const Rank& other) const = default;
};

// Of a policy with this key and order.
Rank rank_of(const PolicyKey& key, const std::optional<double>& order);
// A tier that policies name but the model does not have has no order: it comes last.
Rank rank_of_tier(const std::map<std::string, Tier>& tiers, const std::string& name);

}  // namespace margay::policy
