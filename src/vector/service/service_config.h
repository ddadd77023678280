#pragma once

// What is wanted of one service port, as the node agent says it: where clients find it, and who
// serves it. Names, and what a service with several ports becomes, are the caller's.

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "vector/service/maglev.h"

namespace margay::vector {

// An address and port where clients find a service. Traffic policies and source ranges are said
// here because they differ between the cluster address, node ports and load balancer addresses of
// one service, while its backends and its clients' affinity are shared.
struct Frontend {
  base::IPAddress address;
  uint8_t protocol = 0;  // 6, 17 or 132
  uint16_t port = 0;
  // The address is also the node's own, or somebody else's: its other ports are none of ours.
  bool shared_address = false;
  bool local_only = false;  // only backends of this node
  bool masquerade = false;  // to be source-translated
  bool restricted = false;  // only for clients within `source_ranges`

  bool operator==(const Frontend&) const = default;
};

// With neither flag it gets no new flows; what it has, it keeps. Of a backend that is listed more
// than once, all that is said of it holds.
struct Backend {
  BackendIdentity identity;
  bool ready = false;
  bool draining = false;  // terminating, but still serving: used when nothing is ready
  bool local = false;     // on this node

  bool operator==(const Backend&) const = default;
};

struct ServiceConfig {
  std::string name;
  // When the service was made, in any unit. Of two that claim one frontend the older has it; of two
  // of the same age the one with the smaller name.
  uint64_t age = 0;
  std::vector<Frontend> frontends;  // of either family; each is served by backends of its own
  std::vector<Backend> backends;
  uint32_t affinity_seconds =
      0;  // a client keeps its backend so long after its last new flow; 0: not
  std::vector<base::Prefix> source_ranges;

  bool operator==(const ServiceConfig&) const = default;
};

// Every rule it breaks. A service that is refused is not half programmed.
base::Result<> validate(const ServiceConfig& config);

}  // namespace margay::vector
