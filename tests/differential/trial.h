#pragma once

// One generated case: a model programmed, packets judged, the model changed step by step with more
// packets between, and at the end the state compared with one programmed afresh.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "differential/oracle.h"
#include "differential/subject.h"
#include "policy/generate.h"

namespace margay::differential {

struct TrialOptions {
  size_t packets = 1000;
  size_t candidates = 12;  // for each packet: PacketSource
  size_t phases = 4;       // the model changes between two of them
  size_t workloads = 12;
};

// A packet that did not do what the evaluator says.
struct Mismatch {
  policy::Model model;
  policy::HostTrafficSettings settings{.failsafes = {}};
  policy::Packet packet;
  std::optional<policy::Packet> answers;  // it answers this one
  policy::Verdict expected = policy::Verdict::deny;
  std::string description;
};

struct Verdicts {
  size_t allow = 0, deny = 0;
};

struct TrialResult {
  // Those expected, by the packets' way: "interface to host", "workload to workload, answer".
  std::map<std::string, Verdicts> ways;
  size_t mismatches = 0;
  std::optional<Mismatch> first;
  // Not empty when the state after the changes is not the one programmed afresh: what differs.
  std::string drift;
};

base::Result<TrialResult> run_trial(Subject& subject, uint64_t seed, const TrialOptions& options);

// Programs the model afresh and sends the one packet, behind that which it answers. True: not what
// the evaluator says; nothing when the packet's way is not determined.
base::Result<std::optional<bool>> disagrees(Subject& subject, const Mismatch& mismatch);

}  // namespace margay::differential
