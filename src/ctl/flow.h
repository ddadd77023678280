#pragma once

// A question about one flow, and its answer from both ends.

#include <boost/json/object.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ctl/cluster.h"
#include "policy/passage.h"

namespace margay::ctl {

struct Flow {
  // "<namespace>/<pod>", "node/<name>" (a process of the node itself) or an address.
  std::string from, to;
  uint8_t protocol = policy::k_tcp;
  std::optional<uint16_t> source_port, port;
  std::optional<uint8_t> icmp_type, icmp_code;
  std::optional<policy::IPFamily> family;  // unset: what both ends have, IPv4 first

  // The address of an end that is a node, instead of the one its Node object says.
  std::optional<policy::IPAddress> from_ip, to_ip;
  std::string via;  // "node/<name>": forwards it, where neither end is there
  // The interfaces by which it enters and leaves a node: `via`, else those of its ends.
  std::string in, out;
  // By node and name: the addresses of interfaces, which decide who governs them.
  using Interfaces = std::map<std::string, std::vector<policy::IPAddress>>;
  std::map<std::string, Interfaces> interfaces;
  // Where it was sent, where the address of a service was translated.
  struct Original {
    std::string to;  // an address, or "node/<name>"
    uint16_t port = 0;
  };
  std::optional<Original> original;
};

// One end of a flow.
struct End {
  std::string name;  // "<namespace>/<pod>", "node/<name>"; empty when nobody known has the address
  policy::IPAddress address;
  const policy::WorkloadEndpoint* endpoint = nullptr;  // null: it is none
};

// What becomes of a flow.
struct Outcome {
  // Of the end's endpoint; nothing when it has none, or is not asked.
  std::optional<policy::Decision> egress, ingress;
  std::vector<policy::Step> egress_steps, ingress_steps;
  std::vector<policy::HostDecision> host;  // of host endpoints, in the order they were asked
  bool dropped_for_the_host = false;       // by defaultEndpointToHostAction

  policy::Verdict verdict() const;
};

struct Answer : Outcome {
  End from, to;
  policy::Packet packet;
  // What would become of it if the staged policies were enforced; nothing where there are none.
  std::optional<Outcome> staged;
};

class FlowJudge {
 public:
  // The cluster must outlive this and not change.
  explicit FlowJudge(const Cluster& cluster);

  // `invalid` or `not_found`, saying which end or field. Steps only when asked for.
  base::Result<Answer> judge(const Flow& flow, bool with_steps) const;

  const Cluster& cluster() const { return cluster_; }

 private:
  // Somebody at an end: a workload, a process of a node, or (no node) somebody outside.
  struct Party {
    std::string name;
    std::vector<policy::IPAddress> addresses;
    const policy::WorkloadEndpoint* endpoint = nullptr;
    std::optional<std::string> node = {};
  };
  base::Result<Party> find(const std::string& who,
                           const std::optional<policy::IPAddress>& address) const;
  base::Result<Party> find_node(const std::string& node,
                                const std::optional<policy::IPAddress>& address) const;
  Party find_address(const policy::IPAddress& address) const;
  base::Result<policy::Passage::Original> find_original(const Flow& flow,
                                                        const policy::Packet& packet) const;
  policy::HostInterface interface_of(const Flow& flow, const std::string& node,
                                     const std::string& name) const;
  base::Result<std::vector<policy::Passage>> passages_of(const Flow& flow, const Party& from,
                                                         const Party& to,
                                                         const policy::Packet& packet) const;

  Outcome outcome_of(const policy::Evaluator& evaluator, const policy::Model& model,
                     const std::vector<policy::Passage>& passages, bool with_steps) const;

  const Cluster& cluster_;
  policy::Evaluator evaluator_;
  // With the staged policies in effect, where there are any.
  std::unique_ptr<const policy::Model> staged_model_;
  std::optional<policy::Evaluator> staged_evaluator_;
};

// "tcp", "ICMPv6", "132".
base::Result<uint8_t> parse_protocol(std::string_view text);
std::string_view to_string(policy::Verdict verdict);
std::string_view to_string(policy::Action action);

// What decided: "<namespace>/<name>" or "<name>" of a policy, "profile <name>", or empty.
std::string decider(const policy::Decision& decision);
std::string_view to_string(policy::Direction direction);
// "failsafe", "doNotTrack", "preDNAT", "forward" or "normal".
std::string_view stage_of(const policy::HostDecision& said);
// {"verdict": "deny", "policy": "shop/web", "rule": 0, "tier": "default"}: `rule` is the index in
// the object's own list, null when no rule matched; `tier` is the one that decided, null when none
// did.
boost::json::object to_json(const Cluster& cluster, policy::Direction direction,
                            const policy::Decision& decision);
// {"node": "n1", "interface": "eth0", "endpoint": "gateway", "direction": "ingress",
//  "stage": "preDNAT", "verdict": "deny", "policy": "web", "rule": 0, "tier": "default"}: what was
//  left to the next
// stage has the verdict "pass".
boost::json::object to_json(const Cluster& cluster, const policy::HostDecision& said);

}  // namespace margay::ctl
