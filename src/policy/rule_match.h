#pragma once

#include <string_view>

#include "policy/evaluate.h"
#include "policy/membership.h"

namespace margay::policy {

// The first field of the rule that the packet does not satisfy ("destination.ports"); empty when
// the rule matches. Fields and their meaning: docs/policy.md, "When a rule matches".
std::string_view first_mismatch(const Rule& rule, const Packet& packet, Membership& membership);

}  // namespace margay::policy
