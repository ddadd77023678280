#pragma once

// What the chains of workloads and of host endpoints have in common: established flows, the tiers
// with their policies, the profiles. Each adds rules to a chain.

#include <string>
#include <string_view>
#include <vector>

#include "dataplane/iptables/filter_chains.h"

namespace margay::dataplane::iptables {

std::string jump(std::string_view chain);
// What was decided before is forgotten.
void add_clear(const ChainContext& context, Chain& chain);
// Established flows pass, invalid packets are dropped.
void add_conntrack(const ChainContext& context, Chain& chain);
// A packet that is allowed leaves the chain with the mark "accept". `deny`: the target that denies,
// at the end of a tier that does.
void add_tiers(const ChainContext& context, const std::vector<policy::ProgramTier>& tiers,
               policy::Direction direction, const std::string& deny, Chain& chain);
// The same; what no profile decides is denied.
void add_profiles(const ChainContext& context, const std::vector<std::string>& profiles,
                  policy::Direction direction, const std::string& deny, Chain& chain);

}  // namespace margay::dataplane::iptables
