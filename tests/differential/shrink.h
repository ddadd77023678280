#pragma once

// Makes a failing case small: takes away policies, rules, conditions, endpoints and sets for as
// long as the packet still gets the wrong verdict.

#include <string>

#include "base/result.h"
#include "differential/trial.h"

namespace margay::differential {

// `not_found` when the model alone, programmed afresh, does not show the mistake: then it came
// from the way of changes, and the seed is what repeats it.
base::Result<Mismatch> shrink(Subject& subject, const Mismatch& mismatch);

// The model and the packet, one object a line.
std::string describe(const Mismatch& mismatch);

}  // namespace margay::differential
