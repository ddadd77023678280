#pragma once

// The reference evaluator: what a policy means, as a function. It is written for clarity, straight
// from docs/policy.md, and every data plane is held to it packet by packet.

#include <optional>
#include <string>
#include <vector>

#include "policy/model.h"

namespace margay::policy {

struct Packet {
  IPAddress source;
  IPAddress destination;  // of the source's family
  uint8_t protocol = 0;
  uint16_t source_port = 0;       // TCP, UDP, SCTP, UDPLite
  uint16_t destination_port = 0;
  uint8_t icmp_type = 0;  // ICMP, ICMPv6
  uint8_t icmp_code = 0;
};

enum class Verdict : uint8_t { allow, deny };

// Why the verdict is what it is.
struct Decision {
  enum class By { policy_rule, end_of_tier, profile_rule, no_profile_matched, endpoint_down };
  Verdict verdict = Verdict::deny;
  By by = By::no_profile_matched;
  std::string tier;               // policy_rule, end_of_tier
  std::optional<PolicyKey> policy;  // policy_rule; end_of_tier: the last policy consulted
  std::string profile;            // profile_rule
  size_t rule = 0;                // index in its direction's list
};

// One rule that was looked at on the way, for `explain`.
struct Step {
  std::string tier;                 // empty for profiles
  std::optional<PolicyKey> policy;  // or:
  std::string profile;
  std::optional<size_t> rule;       // unset: the policy or profile has no rules
  bool matched = false;
  Action action = Action::allow;    // of the rule
  std::string mismatch;             // what did not match: "protocol", "destination.ports", ...
};

// The decision of one endpoint in one direction for the first packet of a flow. `trace`, when not
// null, receives every step in order.
Decision evaluate(const Model& model, const WorkloadEndpoint& endpoint, Direction direction,
                  const Packet& packet, std::vector<Step>* trace = nullptr);

// The labels of an endpoint or set after inheritance from its profiles.
Labels effective_labels(const Model& model, const Labels& own,
                        const std::vector<std::string>& profiles);

// Does this rule match this packet? `mismatch`, when not null and the answer is no, receives the
// first field that did not match.
bool matches(const Model& model, const Rule& rule, const Packet& packet,
             std::string* mismatch = nullptr);

// The policies that apply to an endpoint in a direction, in the order they are consulted.
std::vector<const Policy*> applicable_policies(const Model& model, const WorkloadEndpoint& endpoint,
                                               Direction direction);

// The workload endpoint that has this address; null when none has. When several have (a mistake
// that happens while addresses move), the first by key.
const WorkloadEndpoint* endpoint_of(const Model& model, const IPAddress& address);

}  // namespace margay::policy
