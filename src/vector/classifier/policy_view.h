#pragma once

// What workers ask: may this flow begin? Given the first packet of a flow and the endpoints of ours
// at its ends, the verdict of both and the rules that decided, as policy/interpret.h says.
//
// Any number of workers, without waiting; each between two of its quiescent states (vector/rcu.h).
// All answers of one call, or of calls with one snapshot, are those of one moment: the control
// thread's changes become visible as a whole (vector/classifier/classifier.h).

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "vector/classifier/rule_atoms.h"
#include "vector/classifier/rule_list.h"

namespace margay::vector {

// Number of an endpoint in the classifier.
inline constexpr uint32_t k_no_endpoint = ~uint32_t{0};

struct Flow {
  uint8_t family = 4;  // 4 or 6
  uint8_t protocol = 0;
  uint8_t icmp_type = 0, icmp_code = 0;
  uint16_t source_port = 0, destination_port = 0;  // host order; not looked at when ICMP
  const uint8_t* source = nullptr;                 // 4 or 16 bytes in network order
  const uint8_t* destination = nullptr;
  // Our endpoints at the ends: the egress of the one is asked, and the ingress of the other.
  uint32_t source_endpoint = k_no_endpoint;
  uint32_t destination_endpoint = k_no_endpoint;
};

struct Judgement {
  static constexpr uint8_t k_most_logged = 4;

  bool allowed = false;
  DecidedBy by = DecidedBy::not_asked;
  // Log rules met before: how many, and the first of them.
  uint8_t logged = 0;
  uint32_t counter = RuleList::k_no_rule;  // of what decided; none when no rule was asked
  uint32_t logged_counters[k_most_logged];
};

// A side without an endpoint of ours allows. When egress denies, ingress is not asked.
struct FlowJudgement {
  Judgement egress, ingress;
  bool allowed() const { return egress.allowed && ingress.allowed; }
};

struct EndpointRules {
  const RuleList* ingress = nullptr;  // null: no such endpoint
  const RuleList* egress = nullptr;
  bool is_up = false;
};

// One published state of all policy.
struct PolicySnapshot {
  uint64_t generation = 0;
  const uint32_t* port_classes = nullptr;  // PortClasses::k_values each
  const uint32_t* icmp_classes = nullptr;
  std::span<const EndpointRules> endpoints;  // by number
};

class PolicyView {
 public:
  explicit PolicyView(const RuleAtoms& atoms)
      : addresses_(atoms.addresses()), named_ports_(atoms.named_ports()) {}

  FlowJudgement judge(const Flow& flow) const;
  // The same for many: in stages, so that the waits for memory overlap. `judgements` has as many
  // elements as `flows`.
  void judge(std::span<const Flow> flows, std::span<FlowJudgement> judgements) const;

  // The state that a flow would be judged by now. Its generation rises with every change that can
  // alter a verdict: the policy epoch of sessions.
  const PolicySnapshot& snapshot() const { return *snapshot_.load(std::memory_order_acquire); }

  // Control thread.
  void publish(const PolicySnapshot* snapshot) {
    snapshot_.store(snapshot, std::memory_order_release);
  }

 private:
  friend class FlowBatch;

  const AddressClasses& addresses_;
  const NamedPortClasses& named_ports_;
  std::atomic<const PolicySnapshot*> snapshot_{nullptr};
};

}  // namespace margay::vector
