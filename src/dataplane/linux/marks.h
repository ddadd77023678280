#pragma once

// The bits of the packet mark that the chains use to tell each other what was decided, taken from
// the operator's mask, lowest first: accept (a policy or profile allowed the packet) and pass (a
// rule left the tier).

#include <cstdint>

#include "base/result.h"

namespace margay::dataplane::linux_host {

struct Marks {
  uint32_t accept = 0;
  uint32_t pass = 0;

  // `invalid` when the mask has fewer than two bits.
  static base::Result<Marks> from_mask(uint32_t mask);
};

}  // namespace margay::dataplane::linux_host
