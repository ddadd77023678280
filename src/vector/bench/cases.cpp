#include <iterator>

#include "vector/bench/flows.h"
#include "vector/bench/forward.h"
#include "vector/bench/services.h"
#include "vector/bench/yardsticks.h"

namespace margay::vector::bench {

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (auto part :
       {forward_cases(), established_cases(), new_flow_cases(), service_cases(), yardsticks()})
    std::ranges::move(part, std::back_inserter(cases));
  return cases;
}

}  // namespace margay::vector::bench
