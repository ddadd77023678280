#pragma once

#include <string>

#include "policy/program.h"

namespace margay::policy {

// Everything a rule says but its id, in one line: equal texts, equal rules. Meant for hashing and
// for messages; rule ids depend on it, so changing it renames every counter.
std::string rule_text(const ProgramRule& rule);

}  // namespace margay::policy
