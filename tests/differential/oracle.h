#pragma once

// What must become of a packet, said by the reference evaluator: docs/policy.md for everyone on its
// way through the node, and the rules that hold before any policy.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "differential/subject.h"
#include "policy/passage.h"

namespace margay::differential {

struct Expectation {
  Injection injection;
  std::string leaves_by;  // where it comes out, if it is allowed
  policy::Verdict verdict = policy::Verdict::deny;
  policy::Passage passage;  // its way
  // Why, when it does not come to asking.
  const char* decided_before_policy = nullptr;
  std::optional<policy::Verdict> untracked = {};  // what doNotTrack decided about it
};

// "outside to host, translated".
std::string way_of(const Expectation& expected);

struct Explanation {
  std::string why;  // everyone's decisions, for people
  // The steps on the packet's way, each as a text that is equal for equal steps.
  std::vector<std::string> features;
};

class Oracle {
 public:
  struct Options {
    bool has_host = false;  // Subject::has_host
    policy::HostTrafficSettings settings = {};
  };
  // Of k_node. The model outlives this.
  Oracle(const policy::Model& model, Options options);

  // The endpoints that packets can be sent from or to: local, with an interface and an address.
  const std::vector<const policy::WorkloadEndpoint*>& endpoints() const { return endpoints_; }
  const Options& options() const { return options_; }

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
  // What answers a first packet that did what was expected of it. Nothing when that is not
  // determined: the answer's destination was masqueraded, or tracking calls it invalid.
  std::optional<Expectation> expect_answer(const Expectation& first) const;

  Explanation explain(const Expectation& expected) const;
  // What everyone on its way says, in their order.
  policy::PassageDecision judge(const Expectation& expected, bool with_steps = false) const;

 private:
  struct Place {
    const policy::WorkloadEndpoint* endpoint = nullptr;
    std::string name = k_uplink;  // of the interface, or k_host
  };
  std::optional<Place> place_of(const policy::IPAddress& address) const;
  // Its way from one place to another; the verdict is that of everyone on it.
  std::optional<Expectation> expect(const policy::Packet& sent, const Place& from,
                                    const Frontend* translated_by) const;
  policy::Passage passage(const policy::Packet& packet, const Place& from, const Place& to) const;
  std::optional<policy::HostInterface> interface_at(const Place& place) const;

  const policy::Model& model_;
  Options options_;
  policy::Evaluator evaluator_;
  std::map<policy::IPAddress, std::vector<const policy::WorkloadEndpoint*>> owners_;
  std::map<std::string, const policy::WorkloadEndpoint*> interfaces_;  // whose policy holds there
  std::vector<const policy::WorkloadEndpoint*> endpoints_;
};

}  // namespace margay::differential
