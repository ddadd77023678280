#pragma once

// What is held to the evaluator: a data plane and the network around it (network.h). Each program
// has one of its own (kernel/, vector/); everything else is common.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "differential/network.h"
#include "policy/evaluate.h"
#include "policy/passage.h"
#include "policy/program_state.h"

namespace margay::differential {

struct Injection {
  std::string interface_name;  // arrives at the node here; k_host: a process of the node sends it
  policy::Packet packet;
  // It answers this one of the exchange before.
  std::optional<size_t> answers = {};
};

// Where each packet of a batch came out: the interfaces by which it left the node, or k_host where
// a process of the node got it.
using Arrivals = std::vector<std::vector<std::string>>;

enum class Flows : uint8_t { forgotten, kept };  // of the exchanges before

class Subject {
 public:
  virtual ~Subject() = default;

  // Programs the whole model, in sync, over whatever is there, as a node of these settings.
  virtual base::Result<> start(const policy::Model& model,
                               const policy::HostTrafficSettings& settings) = 0;
  virtual base::Result<> change(const std::vector<policy::ModelChange>& changes) = 0;

  // Sends all packets, each the first of its flow, or an answer to one of the exchange before
  // (Flows::kept), and waits until every one is dealt with.
  virtual base::Result<Arrivals> exchange(std::span<const Injection> batch,
                                          Flows flows = Flows::forgotten) = 0;

  // Whether it has the node's own side, which host endpoints govern. One that has not gets neither
  // answers nor packets from the node's processes.
  virtual bool has_host() const { return false; }

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
