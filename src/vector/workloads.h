#pragma once

// Local workloads: which interface each has, and routes to its addresses. Takes the same deltas as
// the classifier, and tells workers of a workload only what the classifier has published.
//
// Of several workloads that claim an interface or an address, the first by key has it. One thread.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "policy/program.h"
#include "vector/classifier/classifier.h"
#include "vector/forwarding.h"

namespace margay::vector {

class Workloads {
 public:
  Workloads(Forwarding& forwarding, const Classifier& classifier)
      : forwarding_(forwarding), classifier_(classifier) {}

  void set(const policy::WorkloadEndpoint& endpoint);
  void remove(const policy::WorkloadKey& key);

  // Interfaces that workloads may have, by name.
  void add_interface(const std::string& name, InterfaceIndex index);
  void remove_interface(const std::string& name);

  // Takes from workers what has gone: before the classifier commits.
  void withdraw();
  // Shows workers what is there: after it has.
  void publish();

 private:
  struct Workload {
    policy::WorkloadEndpoint endpoint;
    AdjacencyIndex adjacency = 0;
    std::set<base::Prefix> routed;  // ours, and in the routes
  };
  using Claims = std::set<policy::WorkloadKey>;

  static std::set<base::Prefix> prefixes_of(const policy::WorkloadEndpoint& endpoint);
  void claim(const policy::WorkloadEndpoint& endpoint);
  void disclaim(const policy::WorkloadEndpoint& endpoint);
  bool has_interface(const Workload& workload) const;
  void unroute(Workload& workload, const std::set<base::Prefix>& keep);
  void show(Workload& workload);
  void touch(const Claims& claims) { changed_.insert(claims.begin(), claims.end()); }

  Forwarding& forwarding_;
  const Classifier& classifier_;
  std::map<std::string, InterfaceIndex> interfaces_;
  std::map<policy::WorkloadKey, Workload> workloads_;
  std::map<std::string, Claims> claims_of_interface_;
  std::map<base::Prefix, Claims> claims_of_address_;
  std::set<policy::WorkloadKey> changed_;
  std::map<policy::WorkloadKey, Workload> gone_;
};

}  // namespace margay::vector
