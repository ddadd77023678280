#pragma once

// Tiers and the policies in them: three tiers always exist, a policy is made only in a tier that
// does, and a tier goes only when no policy is in it (Calico v3.29's Tier reference).
//
// Of a policy's creation and its tier's removal at the same moment, the creation looks again after
// its write, and gives way. A tier that goes just behind that look leaves the policy in a tier that
// is not there: such a tier comes last and denies (docs/policy.md, "Order").

#include <boost/json/object.hpp>
#include <string_view>

#include "apiserver/parsing_room.h"
#include "apiserver/status.h"
#include "apiserver/writes.h"
#include "store/store.h"

namespace margay::apiserver {

bool is_tier(const api::Kind& kind);
bool is_in_tier(const api::Kind& kind);  // its objects are policies, each in a tier

// Makes the tiers that always exist, where they are missing.
base::Result<> restore_tiers(Writes& writes);

// The tier that a policy says it is in: 404, naming it, when there is none. Objects that are in no
// tier, or in one that always exists, may be made.
Answer<> check_tier_exists(store::Store& store, const boost::json::object& object);

// 403 when a policy, staged or not, is in the tier, or when it always exists. One that cannot be
// read is in the tier that its name says.
Answer<> check_tier_unused(store::Store& store, ParsingRoom& room, std::string_view name);

}  // namespace margay::apiserver
