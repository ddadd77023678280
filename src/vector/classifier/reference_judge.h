#pragma once

// The answer of a classifier, read from a program's state rule by rule. For tests and benchmarks.

#include <string>
#include <vector>

#include "policy/interpret.h"
#include "vector/classifier/policy_view.h"

namespace margay::vector {

struct ReferenceJudgement {
  bool allowed = false;
  DecidedBy by = DecidedBy::no_profile_matched;
  std::string rule;                 // the id of what decided; empty for ends
  std::vector<std::string> logged;  // ids
};

inline ReferenceJudgement reference_judge(const policy::ProgramState& state,
                                          const policy::WorkloadKey& key,
                                          policy::Direction direction,
                                          const policy::Packet& packet) {
  using policy::Action;
  const policy::ProgramWorkload& workload = state.workloads.at(key);
  ReferenceJudgement judgement;
  if (!workload.endpoint.admin_up) return {.by = DecidedBy::endpoint_down};
  const bool is_ingress = direction == policy::Direction::ingress;
  // The first rule of a policy or profile that matches, but Log.
  const auto decided = [&](const policy::ProgramRules& rules) -> const policy::ProgramRule* {
    for (const auto& rule : is_ingress ? rules.ingress : rules.egress) {
      if (!policy::matches(state, rule, packet)) continue;
      if (rule.action != Action::log) return &rule;
      judgement.logged.push_back(rule.id);
    }
    return nullptr;
  };
  const auto say = [&](DecidedBy by, const policy::ProgramRule* rule) {
    judgement.allowed = rule != nullptr && rule->action == Action::allow;
    judgement.by = by;
    if (rule != nullptr) judgement.rule = rule->id;
    return judgement;
  };
  for (const policy::ProgramTier& tier : workload.tiers) {
    const auto& policies = is_ingress ? tier.ingress : tier.egress;
    const policy::ProgramRule* rule = nullptr;
    for (auto each = policies.begin(); each != policies.end() && rule == nullptr; ++each)
      rule = decided(state.policies.at(*each));
    if (rule == nullptr && !policies.empty() && tier.default_action == Action::deny)
      return say(DecidedBy::end_of_tier, nullptr);
    if (rule != nullptr && rule->action != Action::pass) return say(DecidedBy::policy_rule, rule);
  }
  for (const std::string& name : workload.endpoint.profiles)
    if (const auto* rule = decided(state.profiles.at(name)))
      return say(DecidedBy::profile_rule, rule);
  return say(DecidedBy::no_profile_matched, nullptr);
}

// The packet must outlive the flow.
inline Flow flow_of(const policy::Packet& packet) {
  return {.family = static_cast<uint8_t>(packet.source.family()),
          .protocol = packet.protocol,
          .icmp_type = packet.icmp_type,
          .icmp_code = packet.icmp_code,
          .source_port = packet.source_port,
          .destination_port = packet.destination_port,
          .source = packet.source.bytes().data(),
          .destination = packet.destination.bytes().data()};
}

}  // namespace margay::vector
