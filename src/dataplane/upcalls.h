#pragma once

// What a data plane tells the agent of its own accord: in between two calls of apply(), from
// whatever thread it has at hand.

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "base/address.h"
#include "dataplane/endpoint_status.h"
#include "policy/model.h"

namespace margay::dataplane {

// What one flow did since it was last told of, at one endpoint of this node.
struct FlowRecord {
  EndpointKey endpoint;
  policy::Direction direction = policy::Direction::ingress;  // seen from the endpoint
  policy::Action action = policy::Action::allow;             // allow or deny
  std::string rule;  // ProgramRule::id of the one that decided; empty: the end of a tier, or none
  base::IPAddress source, destination;
  uint8_t protocol = 0;
  uint16_t source_port = 0, destination_port = 0;  // ICMP: type and code
  uint64_t packets = 0, bytes = 0;                 // since the last record
  std::chrono::system_clock::time_point first, last;
  bool ended = false;  // no further record comes
};

// The public half of a key this node made, to be published for its peers.
struct PublicKey {
  std::string interface_name;  // "wireguard.cali"
  std::string key;             // base64, as WireGuard writes it; empty: there is none any more
};

// Any thread; several at once. They must not call back into the data plane.
class Upcalls {
 public:
  virtual ~Upcalls() = default;
  // What apply() reports is not told here again: this is for what happens to an endpoint later.
  virtual void on_endpoint_status(const EndpointReport& report) = 0;
  virtual void on_flows(std::span<const FlowRecord> records) = 0;
  virtual void on_public_key(const PublicKey& key) = 0;
};

}  // namespace margay::dataplane
