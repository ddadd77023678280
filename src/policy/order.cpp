#include "policy/order.h"

#include <cmath>
#include <limits>

namespace margay::policy {
namespace {

double or_last(const std::optional<double>& order) {
  return order && !std::isnan(*order) ? *order : std::numeric_limits<double>::infinity();
}

}  // namespace

std::strong_ordering Rank::operator<=>(const Rank& other) const {
  if (order < other.order) return std::strong_ordering::less;
  if (order > other.order) return std::strong_ordering::greater;
  return name <=> other.name;
}

Rank rank_of(const PolicyKey& key, const std::optional<double>& order) {
  return {or_last(order), key.stored_id()};
}

Rank rank_of_tier(const std::map<std::string, Tier>& tiers, const std::string& name) {
  const auto found = tiers.find(name);
  return {or_last(found == tiers.end() ? std::nullopt : found->second.order), name};
}

}  // namespace margay::policy
