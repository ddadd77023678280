#pragma once

// Random models, changes and packets for differential tests. The same seed gives the same
// sequence on every machine.
//
// What comes out is what conversions can produce: rules that validation would refuse (ports without
// a protocol that has them, nets of both families) come only marked `never_matches`. Every address
// is unicast and global in scope, so that packets can be sent for real.

#include <cstdint>
#include <string>
#include <vector>

#include "policy/evaluate.h"
#include "policy/model.h"
#include "policy/passage.h"
#include "policy/random.h"

namespace margay::policy {

struct GenerateOptions {
  // Where local endpoints are; about half of all are. At least one workload is local, up, and has
  // an address of each family asked for.
  std::string node = "node-a";
  size_t workloads = 12;
  size_t policies = 10;
  size_t network_sets = 4;
  bool ipv6 = true;
  bool host_endpoints = true;
  unsigned global_policies = 25;  // percent of all
  // Percent of global policies that are for more than the traffic of an endpoint's own: doNotTrack,
  // preDNAT, applyOnForward.
  unsigned early_policies = 15;
  bool log_rules = true;
  bool extra_tiers = true;  // besides `default`
  bool floating_ips = true;
  // Protocols that packets have, and that rules name among others. None that the rules around
  // policy treat apart (IPIP).
  std::vector<uint8_t> protocols = {k_tcp, k_udp, k_sctp, k_icmp, k_icmpv6, k_udplite, 103, 253};
};

// Packets for one model, which outlives this.
class PacketGenerator {
 public:
  PacketGenerator(Random& random, const GenerateOptions& options, const Model& model);

  // A flow's first packet towards (ingress) or from (egress) this endpoint, in a family in which
  // the endpoint has an address. The other side is chosen near the model's edges: addresses of
  // endpoints, first and last addresses of nets and their neighbours, ports at the ends of ranges
  // and beside them. The protocol belongs to the family (ICMP in IPv4, ICMPv6 in IPv6), ICMP is of
  // types that open flows, and ports are neither 0 nor VXLAN's. The endpoint must have an address.
  Packet packet(const WorkloadEndpoint& endpoint, Direction direction);
  // The same between two addresses of a family.
  Packet packet(const IPAddress& source, const IPAddress& destination);
  // One from near the model's edges.
  const IPAddress& address(IPFamily family) {
    return random_.pick(family == IPFamily::v4 ? v4_ : v6_);
  }

 private:
  Packet packet(const IPAddress& source, const IPAddress& destination,
                const std::vector<NamedPort>& ports);

  Random& random_;
  const GenerateOptions& options_;
  std::vector<IPAddress> v4_, v6_;  // to choose from
};

class Generator {
 public:
  explicit Generator(uint64_t seed, GenerateOptions options = {});

  Model model();

  // A change that `model` could meet next: an object added, altered, moved or removed.
  ModelChange change(const Model& model);

  // What the node of the options is told about its host's traffic.
  HostTrafficSettings settings();

  // The generator outlives them.
  PacketGenerator packets(const Model& model) { return {random_, options_, model}; }
  Packet packet(const Model& model, const WorkloadEndpoint& endpoint, Direction direction) {
    return packets(model).packet(endpoint, direction);
  }

 private:
  GenerateOptions options_;
  Random random_;
};

}  // namespace margay::policy
