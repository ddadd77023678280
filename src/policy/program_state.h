#pragma once

// What deltas add up to: a node's whole program as values. Applying a delta checks that it keeps
// the protocol of policy/program.h: nothing may refer to what is not there, and nothing may be
// removed that is still referred to.

#include <map>
#include <set>
#include <string>

#include "base/result.h"
#include "policy/program.h"

namespace margay::policy {

struct ProgramSet {
  SetType type = SetType::nets;
  std::set<SetMember> members;
  bool operator==(const ProgramSet&) const = default;
};

struct ProgramState {
  std::map<std::string, ProgramSet> sets;
  std::map<PolicyKey, ProgramRules> policies;
  std::map<std::string, ProgramRules> profiles;
  std::map<WorkloadKey, ProgramWorkload> workloads;
  std::map<HostEndpointKey, ProgramHostEndpoint> host_endpoints;
  std::map<Prefix, ProgramRoute> routes;
  std::map<std::pair<std::string, IPFamily>, ProgramTunnel> tunnels;
  std::map<std::string, IPPool> pools;
  std::map<std::string, Host> hosts;
  std::map<ServiceKey, ProgramService> services;
  std::map<Unprogrammed::Key, Unprogrammed> unprogrammed;
  bool in_sync = false;

  // `invalid` when the delta breaks the protocol; the state is then as it was.
  base::Result<> apply(const Delta& delta);

  bool operator==(const ProgramState&) const = default;
};

}  // namespace margay::policy
