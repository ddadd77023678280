#pragma once

// Services through the whole engine, packet by packet: random services come and go; clients behind
// a workload's interface and behind the uplink open flows, their packets and the backends' answers
// go on whatever becomes of the service meanwhile, or begin anew where their backend has gone.
// Which backend, or why none, is ServiceModel's answer.

#include <cstdint>
#include <string>

#include "base/result.h"

namespace margay::differential {

struct ServicePacketsReport {
  uint64_t operations = 0, opened = 0, refused = 0, continued = 0, answered = 0;
  uint64_t moved = 0;  // flows that opened anew because their backend was gone
  uint64_t mismatches = 0;
  std::string description;  // of the first
};

// An operation is a change of configuration, or a packet.
base::Result<ServicePacketsReport> judge_service_packets(uint64_t seed, uint64_t operations);

}  // namespace margay::differential
