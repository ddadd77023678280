#pragma once

// Which fields Calico v3.19's types do not have: its clients drop them (api/stored_form.h), so that
// each must be described as beyond it.

#include <string>
#include <vector>

#include "api/schema.h"
#include "oracle.h"

namespace margay::peers {

// A line for each field of `ours` that is said to be beyond `theirs` and is not, or is and is not
// said to be.
std::vector<std::string> misplaced_fields(const api::Schema& ours, const GoField& theirs);

}  // namespace margay::peers
