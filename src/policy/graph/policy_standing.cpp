#include "policy/graph/policy_standing.h"

#include <algorithm>
#include <tuple>

namespace margay::policy {

PolicyStanding standing_of(const Policy& policy) {
  return {.key = policy.key,
          .order = policy.order,
          .applies_ingress = policy.applies_ingress,
          .applies_egress = policy.applies_egress,
          .do_not_track = policy.do_not_track,
          .pre_dnat = policy.pre_dnat,
          .apply_on_forward = policy.apply_on_forward};
}

Action default_action(const std::map<std::string, Tier>& tiers, const std::string& name,
                      Stage stage) {
  if (!has_end_of_tier(stage)) return Action::pass;
  const auto tier = tiers.find(name);
  return tier == tiers.end() ? Action::deny : tier->second.default_action;
}

std::vector<ProgramTier> arrange(const std::vector<const PolicyStanding*>& policies, Stage stage,
                                 const std::map<std::string, Tier>& tiers) {
  // Before service DNAT a packet has not left yet.
  const bool has_egress = stage != Stage::pre_dnat;
  std::vector<std::tuple<Rank, Rank, const PolicyStanding*>> ranked;
  for (const PolicyStanding* policy : policies)
    if (belongs_to(*policy, stage) &&
        (policy->applies_ingress || (policy->applies_egress && has_egress)))
      ranked.emplace_back(rank_of_tier(tiers, policy->key.tier),
                          rank_of(policy->key, policy->order), policy);
  std::ranges::sort(ranked);
  std::vector<ProgramTier> arranged;
  for (const auto& [tier_rank, rank, policy] : ranked) {
    if (arranged.empty() || arranged.back().name != policy->key.tier)
      arranged.push_back({.name = policy->key.tier,
                          .default_action = default_action(tiers, policy->key.tier, stage)});
    if (policy->applies_ingress) arranged.back().ingress.push_back(policy->key);
    if (policy->applies_egress && has_egress) arranged.back().egress.push_back(policy->key);
  }
  return arranged;
}

}  // namespace margay::policy
