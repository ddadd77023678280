#pragma once

// What applying one patch may take. A patch of a few hundred bytes can ask for gigabytes (copies of
// copies) or for hours (each of many operations walking a long list); what would pass a limit is
// refused before it is done.

#include <boost/json/value.hpp>
#include <cstddef>

#include "base/result.h"

namespace margay::api {

struct PatchLimits {
  size_t operations = 10'000;
  size_t steps = 64 << 20;  // about bytes read or moved; well under a second
};

// About the bytes of a value's JSON text, how many values and keys it has, itself among them, and
// how deep it nests (a scalar: 0). Stops descending where the depth passes what an object may have.
struct Extent {
  size_t bytes = 0;
  size_t values = 0;
  size_t depth = 0;
};
Extent extent_of(const boost::json::value& value);

class PatchBudget {
 public:
  explicit PatchBudget(const PatchLimits& limits) : left_(limits.steps) {}
  // `invalid` once it is used up.
  base::Result<> spend(size_t steps);

 private:
  size_t left_;
};

}  // namespace margay::api
