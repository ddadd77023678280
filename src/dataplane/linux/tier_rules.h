#pragma once

// What the chains of workloads and of host endpoints have in common: established flows, the tiers
// with their policies, the profiles. Each adds rules to a chain.

#include <string>
#include <vector>

#include "dataplane/linux/filter_chains.h"

namespace margay::dataplane::linux_host {

// What was decided before is forgotten.
void add_clear(const ChainContext& context, PacketChain& chain);
// Established flows pass, invalid packets are dropped.
void add_conntrack(const ChainContext& context, PacketChain& chain);
// A packet that is allowed leaves the chain with the mark "accept". `deny`: the target that denies,
// at the end of a tier that does.
void add_tiers(const ChainContext& context, const std::vector<policy::ProgramTier>& tiers,
               policy::Direction direction, const Target& deny, PacketChain& chain);
// The same; what no profile decides is denied.
void add_profiles(const ChainContext& context, const std::vector<std::string>& profiles,
                  policy::Direction direction, const Target& deny, PacketChain& chain);

}  // namespace margay::dataplane::linux_host
