#pragma once

// What is held to the evaluator: a data plane and the network around it. Each program has one of
// its own (kernel/, vector/); everything else is common. Frames come in on the interface of the
// sending workload, or on the uplink from everyone else, and are looked for where they come out:
//
//   cali0000 .. cali00NN   workloads
//   uplink                 everything else: the default route of both families

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/mac_address.h"
#include "policy/evaluate.h"
#include "policy/program_state.h"

namespace margay::differential {

inline constexpr const char* k_node = "node-a";
inline constexpr const char* k_uplink = "uplink";
inline constexpr size_t k_many_workloads = 40;  // enough for a tree of dispatch chains

// The MAC addresses at the node's end of every interface, and beyond the uplink.
inline constexpr net::MacAddress k_near_mac{{0xee, 0xee, 0xee, 0xee, 0xee, 0xee}};
inline constexpr net::MacAddress k_uplink_mac{{0x02, 0xfe, 0, 0, 0, 1}};

// The node's interface for the workload with this number.
std::string workload_interface(size_t number);
// The MAC address of the workload at the far end of an interface.
net::MacAddress workload_mac(const std::string& interface_name);

struct Injection {
  std::string interface_name;  // arrives at the node here
  policy::Packet packet;
};

// Through which interfaces each packet of a batch left the node.
using Arrivals = std::vector<std::vector<std::string>>;

class Subject {
 public:
  virtual ~Subject() = default;

  // Programs the whole model, in sync, over whatever is there.
  virtual base::Result<> start(const policy::Model& model) = 0;
  virtual base::Result<> change(const std::vector<policy::ModelChange>& changes) = 0;

  // Sends all packets, each the first of its flow, and waits until every one is dealt with. Flows
  // of earlier batches are forgotten.
  virtual base::Result<Arrivals> exchange(std::span<const Injection> batch) = 0;

  // Whether a denied packet must come out nowhere at all, not only where it would if allowed. The
  // kernel has no route to an endpoint that is down: its packets take the default route.
  virtual bool denied_goes_nowhere() const { return true; }

  // What the deltas so far say, for telling whose mistake a wrong verdict is.
  virtual const policy::ProgramState& program() const = 0;

  // Starts over with the model that was reached by changes. Returns what is another state then, or
  // was left behind; empty: nothing.
  virtual base::Result<std::string> start_over(const policy::Model& model) = 0;
};

}  // namespace margay::differential
