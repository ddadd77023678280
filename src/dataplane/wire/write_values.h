#pragma once

// The small values that several messages have, written into them.

#include <string>

#include "dataplane/endpoint_status.h"
#include "dataplane/wire/dataplane.pb.h"
#include "policy/program.h"

namespace margay::dataplane::wire {

inline std::string octets(const base::IPAddress& address) {
  const auto bytes = address.bytes();
  return {bytes.begin(), bytes.end()};
}

inline void write(const base::Prefix& prefix, proto::Prefix& into) {
  into.set_address(octets(prefix.address()));
  into.set_length(prefix.length());
}

inline void write(const policy::WorkloadKey& key, proto::WorkloadKey& into) {
  into.set_node(key.node);
  into.set_orchestrator(key.orchestrator);
  into.set_workload(key.workload);
  into.set_endpoint(key.endpoint);
}

inline void write(const policy::HostEndpointKey& key, proto::HostEndpointKey& into) {
  into.set_node(key.node);
  into.set_name(key.name);
}

// Into a message that has `workload` and `host` as alternatives.
template <typename Message>
void write_endpoint(const EndpointKey& key, Message& into) {
  if (const auto* workload = std::get_if<policy::WorkloadKey>(&key))
    write(*workload, *into.mutable_workload());
  else
    write(std::get<policy::HostEndpointKey>(key), *into.mutable_host());
}

}  // namespace margay::dataplane::wire
