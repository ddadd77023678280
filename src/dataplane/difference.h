#pragma once

// What of the programmed state is not as desired, as reading it back shows.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace margay::dataplane {

// The kinds of programmed state that can be read back each for itself.
enum class StateKind : uint8_t {
  rules,   // chains, programs, ACLs
  sets,    // members of sets
  routes,  // routes, neighbours, tunnels and interface settings
};
inline constexpr std::array k_state_kinds{StateKind::rules, StateKind::sets, StateKind::routes};

struct Difference {
  StateKind kind = StateKind::rules;
  std::string item;     // "IPv4 filter chain cali-FORWARD", "set cali40all-ipam-pools"
  std::string problem;  // "missing", "not wanted", "has 10.65.0.9/32, which is not wanted"
  bool operator==(const Difference&) const = default;
};
using Differences = std::vector<Difference>;

}  // namespace margay::dataplane
