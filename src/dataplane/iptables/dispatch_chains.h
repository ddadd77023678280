#pragma once

// From an interface to its endpoint's chain. Few interfaces: one list. Many: a tree by the next
// characters of the name, so that a packet passes a few rules instead of hundreds and a new
// interface touches only its branch. What no rule takes is dropped: an interface that looks like
// a workload's but has no endpoint (yet) passes nothing.

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/iptables/chain.h"

namespace margay::dataplane::iptables {

struct Dispatch {
  std::string chain;      // "cali-from-wl-dispatch"; branches are named "<chain>-<characters>"
  const char* interface;  // "-i" or "-o"
  std::function<std::string(std::string_view interface)> endpoint_chain;
};

inline constexpr size_t k_dispatch_fan_out = 16;
// Levels of branches. Names are hashes of what others choose, who may make them begin alike: the
// kernel follows 16 jumps in all, and names of branches must fit.
inline constexpr size_t k_dispatch_depth = 3;

// `prefix`: what all names begin with at least ("cali"); names that do not are left out.
std::vector<Chain> dispatch_chains(const Dispatch& dispatch,
                                   const std::set<std::string>& interfaces,
                                   const std::vector<std::string>& prefixes);

}  // namespace margay::dataplane::iptables
