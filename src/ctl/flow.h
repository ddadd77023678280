#pragma once

// A question about one flow, and its answer from both ends.

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ctl/cluster.h"
#include "policy/evaluate.h"

namespace margay::ctl {

struct Flow {
  std::string from, to;  // "<namespace>/<pod>" or an address
  uint8_t protocol = policy::k_tcp;
  std::optional<uint16_t> source_port, port;
  std::optional<uint8_t> icmp_type, icmp_code;
  std::optional<policy::IPFamily> family;  // unset: what both ends have, IPv4 first
};

// One end of a flow.
struct End {
  std::string name;  // "<namespace>/<pod>"; empty when nobody known has the address
  policy::IPAddress address;
  const policy::WorkloadEndpoint* endpoint = nullptr;  // null: policy does not decide at this end
};

struct Answer {
  End from, to;
  policy::Packet packet;
  // Of the end's endpoint; nothing when it has none.
  std::optional<policy::Decision> egress, ingress;
  std::vector<policy::Step> egress_steps, ingress_steps;

  policy::Verdict verdict() const;
};

class FlowJudge {
 public:
  // The cluster must outlive this and not change.
  explicit FlowJudge(const Cluster& cluster) : cluster_(cluster), evaluator_(cluster.model()) {}

  // `invalid` or `not_found`, saying which end or field. Steps only when asked for.
  base::Result<Answer> judge(const Flow& flow, bool with_steps) const;

  const Cluster& cluster() const { return cluster_; }

 private:
  struct Party {
    std::string name;
    std::vector<policy::IPAddress> addresses;
    const policy::WorkloadEndpoint* endpoint = nullptr;
  };
  base::Result<Party> find(const std::string& who) const;

  const Cluster& cluster_;
  policy::Evaluator evaluator_;
};

// "tcp", "ICMPv6", "132".
base::Result<uint8_t> parse_protocol(std::string_view text);
std::string_view to_string(policy::Verdict verdict);
std::string_view to_string(policy::Action action);

// What decided: "<namespace>/<name>" or "<name>" of a policy, "profile <name>", or empty.
std::string decider(const policy::Decision& decision);
// {"verdict": "deny", "policy": "shop/web", "rule": 0}: `rule` is the index in the object's own
// list, null when no rule matched.
boost::json::object to_json(const Cluster& cluster, policy::Direction direction,
                            const policy::Decision& decision);

}  // namespace margay::ctl
