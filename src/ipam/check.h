#pragma once

// An audit of everything address management keeps: what contradicts itself, what a crash left
// behind, and, when told which addresses are in use, what is leaked or used without being assigned.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace margay::store {
class Store;
}

namespace margay::ipam {

enum class Problem : uint8_t {
  // Harmless: whoever left it half done, or the next to pass, puts it right.
  unfinished_claim,    // an affinity that is not confirmed, or whose block is not there
  unrecorded_claim,    // a block claimed by a node that has no affinity for it
  stale_handle_count,  // a handle counts more in a block than it holds
  // Wrong: no crash and no race makes these.
  corrupt_block,      // contradicts itself
  unreadable_record,  // is not what its kind is; all else goes on without it
  overlapping_blocks,
  disputed_block,     // the affinity says one node, the block another
  uncounted_address,  // assigned, and its handle does not know
  over_limit,         // a node with more blocks than it may have
  outside_pools,      // a block in no pool (its pool was deleted)
  // With `in_use` only.
  leaked_address,      // assigned, and not in use
  unassigned_address,  // in use and in a pool, and not assigned
};

std::string_view to_string(Problem problem);
bool is_harmless(Problem problem);

struct Finding {
  Problem problem;
  std::string subject;  // "block 10.0.0.0/26", "address 10.0.0.7", "handle …"
  std::string detail;
  auto operator<=>(const Finding&) const = default;
};

struct CheckOptions {
  // The addresses that pods, nodes' tunnels and services have; unset: not asked.
  std::optional<std::set<base::IPAddress>> in_use;
};

struct Report {
  size_t blocks = 0;
  size_t assigned = 0;  // addresses
  size_t handles = 0;
  std::vector<Finding> findings;  // in the order of Problem
  // No finding but harmless ones.
  bool sound() const;
};

// Reads all there is. On a store in use what is being changed may be reported as harmless.
base::Result<Report> check(store::Store& store, const CheckOptions& options = {});

}  // namespace margay::ipam
