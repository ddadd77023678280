#pragma once

// What of a policy decides where it stands in an endpoint's program, and how programs are arranged
// from that.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/order.h"
#include "policy/program.h"
#include "policy/stage.h"

namespace margay::policy {

struct PolicyStanding {
  PolicyKey key;
  std::optional<double> order;
  bool applies_ingress = false;
  bool applies_egress = false;
  bool do_not_track = false;
  bool pre_dnat = false;
  bool apply_on_forward = false;
  bool operator==(const PolicyStanding&) const = default;
};

PolicyStanding standing_of(const Policy& policy);

// What becomes of a packet at the end of a tier in a stage: deny or pass. A tier that the model
// does not have denies.
Action default_action(const std::map<std::string, Tier>& tiers, const std::string& name,
                      Stage stage);

// The policies that take part in a stage, by tier and in order. Tiers in which none does are
// left out.
std::vector<ProgramTier> arrange(const std::vector<const PolicyStanding*>& policies, Stage stage,
                                 const std::map<std::string, Tier>& tiers);

}  // namespace margay::policy
