#pragma once

// The parts a generated model is made of, each chosen at random from a small vocabulary, so that
// selectors meet labels, nets meet addresses and ports meet ports.

#include "policy/generate.h"

namespace margay::policy {

// Nets of both families that overlap each other, the endpoints' addresses and the outside.
const std::vector<Prefix>& vocabulary_nets();
const std::vector<PortRange>& vocabulary_ports();
const std::vector<std::string>& vocabulary_profiles();
// Those that policies are in; "not-there" is none that a generated model begins with.
const std::vector<std::string>& vocabulary_tiers();
std::vector<std::string> vocabulary_nodes(const GenerateOptions& options);

// Pools do not overlap; blocks lie inside them.
std::vector<Prefix> vocabulary_pools(const GenerateOptions& options);
const std::vector<Prefix>& vocabulary_blocks();

WorkloadKey workload_key(const std::string& node, size_t index);
PolicyKey random_policy_key(Random& random, const GenerateOptions& options, size_t index);

Selector random_selector(Random& random);
Rule random_rule(Random& random, const GenerateOptions& options);
// The rest is chosen for a key that is given.
Policy random_policy(Random& random, const GenerateOptions& options, PolicyKey key);
Profile random_profile(Random& random, const GenerateOptions& options, std::string name);
// `address`: which of the vocabulary's endpoint addresses it has (one of each family).
WorkloadEndpoint random_workload(Random& random, const GenerateOptions& options, WorkloadKey key,
                                 size_t address);
HostEndpoint random_host_endpoint(Random& random, HostEndpointKey key);
NetworkSet random_network_set(Random& random, const GenerateOptions& options, NetworkSetKey key);
IPPool random_pool(Random& random, std::string name, Prefix cidr);
// `index` gives the addresses.
Tier random_tier(Random& random, std::string name);
StagedPolicy random_staged_policy(Random& random, const GenerateOptions& options, PolicyKey key);
// One of the host's interfaces, whose addresses some host endpoints expect.
HostInterface random_interface(Random& random, std::string name);
// Of services `index` gives the key and the cluster IP; the rest they may contend for.
Service random_service(Random& random, size_t index);
EndpointSlice random_slice(Random& random, const std::vector<std::string>& nodes, size_t index);
// Failsafes of every form, with nets of both families.
HostTrafficSettings random_host_traffic_settings(Random& random);
Host random_host(Random& random, std::string name, size_t index);
Block random_block(Random& random, const std::vector<std::string>& nodes, Prefix cidr);

}  // namespace margay::policy
