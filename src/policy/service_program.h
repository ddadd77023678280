#pragma once

// What one node does for a service: frontends, and the backends that each may use from there
// (docs/policy.md, "Services"). A pure function; who has a frontend that two services claim is for
// the graph to say.

#include <vector>

#include "policy/program.h"

namespace margay::policy {

struct ServiceView {
  std::string node;
  std::string zone;  // of the node; empty: unknown
};

// `slices` are those of the service, in any order; an endpoint that stands in several counts once.
// Ports in families in which the service has no address and no node port are left out.
//
// * Those that take new flows are ready; when none is, those that serve while they terminate.
// * Local ones: the same, among those of this node alone.
// * Where the service prefers its zone, the node's zone is known and every ready backend has a
//   hint: those for that zone, if there are any.
ProgramService program_of(const Service& service, const std::vector<const EndpointSlice*>& slices,
                          const ServiceView& view);

// What can be claimed by one service only: an address with a port, or a port of every node.
struct FrontendKey {
  std::optional<IPAddress> address;  // unset: a node port, in `family`
  IPFamily family = IPFamily::v4;
  uint8_t protocol = 0;
  uint16_t port = 0;
  auto operator<=>(const FrontendKey&) const = default;
};
FrontendKey key_of(const ProgramServicePort& port, const ProgramFrontend& frontend);
// "10.96.0.1:80/tcp", "node port 30080/tcp (IPv4)".
std::string to_string(const FrontendKey& key);

}  // namespace margay::policy
