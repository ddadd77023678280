#pragma once

// Where traffic to each destination goes, seen from one node. Several things may claim the same
// destination (a block of one address and the workload in it); the claim that comes first in the
// order of Claim::Source and can be followed decides.

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "policy/graph/tracked.h"
#include "policy/program.h"

namespace margay::policy {

class Routes {
 public:
  // `node`: the one we route for.
  explicit Routes(std::string node) : node_(std::move(node)) {}

  // Local workloads with the addresses that are theirs.
  void set_workload(const WorkloadEndpoint& endpoint);
  // One of another node, where blocks do not tell where its addresses are. Those that no pool
  // contains are led by whoever gave them.
  void set_remote_workload(const WorkloadEndpoint& endpoint);
  void remove_workload(const WorkloadKey& key);
  void set_block(const Block& block);
  void remove_block(const Prefix& cidr);
  void set_host(const Host& host);
  void remove_host(const std::string& name);
  void set_pool(const IPPool& pool);
  void remove_pool(const std::string& name);

  // Works out the routes to destinations that something has changed for.
  void resolve();
  Tracked<Prefix, ProgramRoute>::Difference take_difference() { return routes_.take_difference(); }

 private:
  struct Claim {
    enum class Source : uint8_t { workload, elsewhere, remote_workload, block, host, pool };
    Source source = Source::pool;
    std::string node;  // where the destination is; empty for pools
    std::string interface_name;
    auto operator<=>(const Claim&) const = default;
  };
  using Claims = std::vector<std::pair<Prefix, Claim>>;

  // Makes `claims` all that this claimant claims.
  void replace(const std::string& claimant, Claims claims);
  void host_changed(const std::string& name, const Host* before, const Host* now);
  void pool_changed(const IPPool* before, const IPPool* now);
  void mark_inside(const Prefix& cidr);
  void mark_everything();

  std::optional<ProgramRoute> route(const Prefix& destination) const;
  std::optional<ProgramRoute> route_by(const Prefix& destination, const Claim& claim) const;
  // False when the node's address is not known.
  bool set_next_hop(ProgramRoute& route) const;
  const IPPool* pool_of(const Prefix& destination) const;

  std::string node_;
  std::map<std::string, Host> hosts_;
  std::map<std::string, IPPool> pools_;
  std::map<std::string, Claims> by_claimant_;
  std::map<Prefix, std::multiset<Claim>> claims_;
  std::map<std::string, std::multiset<Prefix>> by_node_;  // destinations claimed for a node
  std::set<Prefix> changed_;
  Tracked<Prefix, ProgramRoute> routes_;
};

}  // namespace margay::policy
