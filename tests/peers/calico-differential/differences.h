#pragma once

// Where Margay's verdict differs from that of Calico v3.19 on purpose.
// docs/reference/calico-validation.md lists them by name, with the reason of each.

#include <string>
#include <vector>

#include "oracle.h"

namespace margay::peers {

struct Difference {
  enum class Side { we_refuse, we_accept };
  std::string name;
  Side side;
  std::string kind;     // empty: any
  std::string pattern;  // RE2; finds our message (we_refuse) or Calico's error (we_accept)
};

const std::vector<Difference>& differences();

// The difference that explains the message of the side that refused; null: it is a new one.
const Difference* find_difference(Difference::Side side, const std::string& kind,
                                  const std::string& message);

}  // namespace margay::peers
