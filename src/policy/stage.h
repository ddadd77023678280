#pragma once

// The stages at which policy is asked (docs/policy.md, "Host endpoints"). Workloads have only the
// normal one.

#include <cstdint>
#include <string_view>

namespace margay::policy {

enum class Stage : uint8_t {
  untracked,  // before connection tracking: doNotTrack policies, each direction by itself
  pre_dnat,   // before service DNAT: preDNAT policies, ingress only
  forward,    // traffic through the host: applyOnForward policies
  normal,     // traffic of the host's processes, or of a workload
};

// Whether a policy (anything with its three flags) takes part in a stage.
bool belongs_to(const auto& policy, Stage stage) {
  const bool is_normal = !policy.do_not_track && !policy.pre_dnat;
  switch (stage) {
    case Stage::untracked:
      return policy.do_not_track;
    case Stage::pre_dnat:
      return policy.pre_dnat;
    case Stage::forward:
      return is_normal && policy.apply_on_forward;
    case Stage::normal:
      return is_normal;
  }
  return false;
}

// Whether the end of a tier decides: a packet that nothing matched in the stages before the normal
// one goes on to what comes next.
constexpr bool has_end_of_tier(Stage stage) {
  return stage == Stage::forward || stage == Stage::normal;
}

}  // namespace margay::policy
