#pragma once

// The bits of the packet mark that the chains use to tell each other what was decided, taken from
// the operator's mask, lowest first: accept (a policy or profile allowed the packet) and pass (a
// rule left the tier).

#include <cstdint>
#include <string>

#include "base/result.h"

namespace margay::dataplane::iptables {

struct Marks {
  uint32_t accept = 0;
  uint32_t pass = 0;

  // `invalid` when the mask has fewer than two bits.
  static base::Result<Marks> from_mask(uint32_t mask);
};

std::string set_mark(uint32_t bits);    // target that sets them and leaves the others
std::string clear_mark(uint32_t bits);  // target that clears them and leaves the others
std::string has_mark(uint32_t bit);     // match: set
std::string lacks_mark(uint32_t bit);   // match: clear

}  // namespace margay::dataplane::iptables
