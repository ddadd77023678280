#pragma once

// `margay vector bench`: the graph driven from memory on one core, from parsing to output. Every
// packet that comes out is compared with what it must be, outside the timed part: a fast wrong
// answer is an error.

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "vector/engine.h"

namespace margay::vector::bench {

struct Measurement {
  std::string name;
  unsigned packet_bytes = 0;  // on the wire
  uint64_t flows = 0;
  uint64_t rules = 0;
  double cycles_per_packet = 0;  // of the time stamp counter
  double mpps = 0;               // million packets a second
  std::string note;              // memory, for instance
};

// Traffic for one case.
struct Traffic {
  InterfaceIndex in = 0;
  uint64_t flows = 1;
  std::function<void(rte_mbuf*, uint64_t flow)> make;
  // Is this what must become of a packet of the flow?
  std::function<bool(rte_mbuf*, InterfaceIndex out, uint64_t flow)> is_right;
};

// The packets of `batches` batches, in an order without pattern; `invalid` when one is wrong or
// missing. Cycles a packet, the median of several rounds.
base::Result<double> cycles_per_packet(Engine& engine, const Traffic& traffic, unsigned rounds,
                                       unsigned batches_a_round);
// One packet of each flow, untimed.
base::Result<> send_each_once(Engine& engine, const Traffic& traffic);

struct Case {
  std::string name;
  std::function<base::Result<Measurement>()> run;
};
std::vector<Case> all_cases();

Measurement measured(std::string name, unsigned packet_bytes, uint64_t flows, uint64_t rules,
                     double cycles);

}  // namespace margay::vector::bench
