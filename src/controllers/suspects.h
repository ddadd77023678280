#pragma once

// Addresses that seem to be nobody's are not taken at first sight: a pod whose sandbox is being
// taken down is gone from the API before its address is. Remembers since when each has been so. A
// value; one thread. It remembers no more than it was last shown.

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "ipam/holdings.h"

namespace margay::controllers {

class Suspects {
 public:
  // What one look found to be nobody's. Returns what was so, unchanged, at every look for as long
  // as `grace`, and at one before this at least; the rest is to be shown again, and whatever is not
  // shown is forgotten. No grace: nothing is due ever.
  std::vector<ipam::Holding> due(std::vector<ipam::Holding> orphans, base::Clock::Steady now,
                                 std::chrono::milliseconds grace);
  // Nobody looked: what was seen before is first sight again.
  void forget() { since_.clear(); }
  size_t size() const { return since_.size(); }

 private:
  struct Suspect {
    ipam::Holding holding;
    base::Clock::Steady since;
  };
  std::map<std::string, Suspect> since_;  // by handle
};

}  // namespace margay::controllers
