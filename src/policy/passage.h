#pragma once

// The whole way of a packet through one node: which host endpoint is asked at which stage, when the
// workloads' own policy is, and what skips what (docs/policy.md, "Host endpoints"). The evaluator
// (policy/evaluate.h) says what each of them decides; this says in which order they are asked.

#include <optional>
#include <string>
#include <vector>

#include "policy/evaluate.h"
#include "policy/failsafe.h"
#include "policy/workload_interfaces.h"

namespace margay::policy {

// What a node's settings say of its host's traffic.
struct HostTrafficSettings {
  // What happens to a workload's packets for its own host that its policy allows.
  enum class FromWorkload { drop, return_to_host, accept };
  Failsafes failsafes = default_failsafes();
  FromWorkload from_workload = FromWorkload::drop;  // defaultEndpointToHostAction
  WorkloadInterfaces workload_interfaces = {};      // interfacePrefix
};

// It comes in by an interface of the host, or from a workload here, or (neither) from a process of
// the host's; it leaves by an interface, or is for a workload here, or for a process of the host's.
struct Passage {
  std::string node;
  Packet packet;  // as it leaves: behind the translation of a service's address
  // Where it was sent, where that is another: a service's address, or a node port.
  struct Original {
    IPAddress destination;
    uint16_t port = 0;
    bool is_the_hosts = false;  // an address of the host's own
    // Where a process of the host's sent it elsewhere: the interface that was chosen for that
    // address, which doNotTrack goes by. Unset: the one that it leaves by.
    std::optional<HostInterface> out = {};
  };
  std::optional<Original> original = {};
  // By name and addresses; without a name, what of the interface is known are its addresses.
  std::optional<HostInterface> in = {};
  const WorkloadEndpoint* from = nullptr;
  std::optional<HostInterface> out = {};
  const WorkloadEndpoint* to = nullptr;
};

// What one host endpoint said, or that it was not asked because of a failsafe.
struct HostDecision {
  HostEndpointKey endpoint;
  std::string interface;  // empty: not known
  Direction direction = Direction::ingress;
  std::optional<Stage> stage;        // unset: a failsafe, which allows
  std::optional<Decision> decision;  // unset: it left the packet to what comes next
  std::vector<Step> steps = {};
};

struct PassageDecision {
  Verdict verdict = Verdict::allow;
  std::vector<HostDecision> host;  // in the order in which they were asked; the last may deny
  // Of the workloads; nothing where there is none, or it is not asked.
  std::optional<Decision> egress, ingress;
  std::vector<Step> egress_steps, ingress_steps;
  // It was a workload's packet for its host, and this decided (defaultEndpointToHostAction).
  bool dropped_for_the_host = false;
};

// The decision on the first packet of a flow. The host endpoints are asked until one denies; the
// workloads always. Steps only where they are asked for.
PassageDecision judge(const Evaluator& evaluator, const Model& model,
                      const HostTrafficSettings& settings, const Passage& passage,
                      bool with_steps = false);

// The host endpoint that governs an interface of a node; null: none does.
const HostEndpoint* governor_of(const Model& model, const WorkloadInterfaces& workload_interfaces,
                                const std::string& node, const HostInterface& interface);

}  // namespace margay::policy
