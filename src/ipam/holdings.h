#pragma once

// What address management has given out, and to whom: by handle, with what the attributes say of
// whoever holds it; and which node has claimed which block.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "api/calico.h"
#include "base/address.h"
#include "base/result.h"

namespace margay::store {
class Store;
}

namespace margay::ipam {

// Whom addresses were assigned for, as the attributes say that Calico's plugins and agents write.
struct Holder {
  enum class Kind : uint8_t {
    pod,      // a Kubernetes pod: pod, namespace and node are named
    tunnel,   // a node's end of an overlay: type and node are named
    unknown,  // anybody else: another orchestrator's workload, or one that nothing is said of
  };
  Kind kind = Kind::unknown;
  std::string node;  // by Calico's name; empty where it is not said
  std::string ns;    // of a pod
  std::string pod;
  bool operator==(const Holder&) const = default;
};

Holder holder_of(const api::AllocationAttribute& attribute);

// What is held in one block with one attribute.
struct Share {
  base::Prefix block;
  api::AllocationAttribute attribute;
  std::vector<base::IPAddress> addresses;
  bool operator==(const Share&) const = default;
};

// All that one handle holds. Where its shares do not agree on the holder, that is unknown.
struct Holding {
  std::string handle_id;
  Holder holder;
  std::vector<Share> shares;  // at least one
  bool operator==(const Holding&) const = default;
};

std::vector<base::IPAddress> addresses_of(const Holding& holding);

struct Holdings {
  std::vector<Holding> held;                              // by handle
  std::vector<Share> without_handle;                      // nobody can release these but by address
  std::map<std::string, std::set<base::Prefix>> claimed;  // by node, from affinities and blocks
  // Whose records count addresses that no block has: of a program that died between the two, or is
  // about to write the block.
  std::vector<std::string> miscounted;
};

// Reads all there is. What cannot be read is left out, with a warning: nothing is known of it.
base::Result<Holdings> load_holdings(store::Store& store);

}  // namespace margay::ipam
