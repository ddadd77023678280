#pragma once

// What must become of a packet, said by the reference evaluator: docs/policy.md for both ends of
// the flow, and the rules that hold before any policy.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "differential/subject.h"
#include "policy/evaluate.h"

namespace margay::differential {

struct Expectation {
  Injection injection;
  std::string leaves_by;  // the node's interface, if it is allowed
  policy::Verdict verdict = policy::Verdict::deny;
  // Whose policy is asked; null beyond the uplink, and when it does not come to that.
  const policy::WorkloadEndpoint* from = nullptr;
  const policy::WorkloadEndpoint* to = nullptr;
  const char* denied_before_policy = nullptr;  // why
};

struct Explanation {
  std::string why;  // both sides' decisions, for people
  // The steps on the packet's way, each as a text that is equal for equal steps.
  std::vector<std::string> features;
};

class Oracle {
 public:
  // `node`: whose interfaces are under test. The model outlives this.
  Oracle(const policy::Model& model, std::string node);

  // The endpoints that packets can be sent from or to: local, with an interface and an address.
  const std::vector<const policy::WorkloadEndpoint*>& endpoints() const { return endpoints_; }

  std::vector<const policy::Policy*> applicable_policies(const policy::WorkloadEndpoint& endpoint,
                                                         policy::Direction direction) const {
    return evaluator_.applicable_policies(endpoint, direction);
  }

  // Nothing when the packet's way is not determined by the model: addresses that several endpoints
  // claim, or that stay on one interface.
  std::optional<Expectation> expect(const policy::Packet& packet) const;
  // The same packet sent by a workload whose address its source is not: never let through.
  std::optional<Expectation> expect_spoofed(const policy::Packet& packet,
                                            const policy::WorkloadEndpoint& by) const;
  Explanation explain(const Expectation& expected) const;

 private:
  struct Place {
    const policy::WorkloadEndpoint* endpoint = nullptr;  // null: beyond the uplink
    std::string interface_name = k_uplink;
  };
  void explain(const policy::WorkloadEndpoint& endpoint, policy::Direction direction,
               const policy::Packet& packet, Explanation& explanation) const;
  std::optional<Place> place_of(const policy::IPAddress& address) const;

  std::string node_;
  policy::Evaluator evaluator_;
  std::map<policy::IPAddress, std::vector<const policy::WorkloadEndpoint*>> owners_;
  std::map<std::string, const policy::WorkloadEndpoint*> interfaces_;  // whose policy holds there
  std::vector<const policy::WorkloadEndpoint*> endpoints_;
};

}  // namespace margay::differential
