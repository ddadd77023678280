#pragma once

// The reference evaluator: what a policy means, as a function. It is written for clarity, straight
// from docs/policy.md, and every data plane is held to it packet by packet.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/model.h"
#include "policy/stage.h"

namespace margay::policy {

struct Packet {
  IPAddress source;
  IPAddress destination;  // of the source's family
  uint8_t protocol = 0;
  uint16_t source_port = 0;  // TCP, UDP, SCTP, UDPLite
  uint16_t destination_port = 0;
  uint8_t icmp_type = 0;  // ICMP, ICMPv6
  uint8_t icmp_code = 0;
};

// "10.65.0.1:40000 -> 10.65.0.2:80 tcp", for messages.
std::string to_string(const Packet& packet);

enum class Verdict : uint8_t { allow, deny };

// Why the verdict is what it is.
struct Decision {
  enum class By { policy_rule, end_of_tier, profile_rule, no_profile_matched, endpoint_down };
  Verdict verdict = Verdict::deny;
  By by = By::no_profile_matched;
  std::string tier;                 // policy_rule, end_of_tier
  std::optional<PolicyKey> policy;  // policy_rule; end_of_tier: the last policy consulted
  std::string profile;              // profile_rule
  size_t rule = 0;                  // index in its direction's list
};

// One rule that was looked at on the way, for `explain`.
struct Step {
  std::string tier;                 // empty for profiles
  std::optional<PolicyKey> policy;  // or:
  std::string profile;
  std::optional<size_t> rule;  // unset: the policy or profile has no rules
  bool matched = false;
  Action action = Action::allow;  // of the rule
  std::string mismatch;           // what did not match: "protocol", "destination.ports", ...
};

// The evaluator and its memory: what depends on the model alone (effective labels, who satisfies a
// selector, which policies apply to an endpoint) is worked out once, when it is first asked for.
// For many questions about one model; each function below answers a single one.
//
// The model outlives it and does not change meanwhile. One thread.
class Evaluator {
 public:
  explicit Evaluator(const Model& model);
  ~Evaluator();
  Evaluator(Evaluator&&) noexcept;

  // The decision of one endpoint in one direction for the first packet of a flow. `trace`, when
  // not null, receives every step in order.
  Decision evaluate(const WorkloadEndpoint& endpoint, Direction direction, const Packet& packet,
                    std::vector<Step>* trace = nullptr) const;

  // The decision of one host endpoint at one stage in one direction, failsafes aside
  // (policy/passage.h); nothing when this stage leaves the packet to what comes after it.
  std::optional<Decision> evaluate(const HostEndpoint& endpoint, Stage stage, Direction direction,
                                   const Packet& packet, std::vector<Step>* trace = nullptr) const;

  // Does this rule match this packet? `mismatch`, when not null and the answer is no, receives the
  // first field that did not match.
  bool matches(const Rule& rule, const Packet& packet, std::string* mismatch = nullptr) const;

  // The policies that apply to an endpoint in a direction, in the order they are consulted.
  std::vector<const Policy*> applicable_policies(const WorkloadEndpoint& endpoint,
                                                 Direction direction) const;

  // The workload endpoint that has this address; null when none has. When several have (a mistake
  // that happens while addresses move), the first by key.
  const WorkloadEndpoint* endpoint_of(const IPAddress& address) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

Decision evaluate(const Model& model, const WorkloadEndpoint& endpoint, Direction direction,
                  const Packet& packet, std::vector<Step>* trace = nullptr);

bool matches(const Model& model, const Rule& rule, const Packet& packet,
             std::string* mismatch = nullptr);

std::vector<const Policy*> applicable_policies(const Model& model, const WorkloadEndpoint& endpoint,
                                               Direction direction);

const WorkloadEndpoint* endpoint_of(const Model& model, const IPAddress& address);

// The labels of an endpoint or set after inheritance from its profiles: its own first, then those
// of the first profile that gives them.
Labels effective_labels(const Model& model, const Labels& own,
                        const std::vector<std::string>& profiles);

}  // namespace margay::policy
