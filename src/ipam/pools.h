#pragma once

// The pools addresses come from (projectcalico.org/v3 IPPool), and the order in which a node tries
// the blocks of one.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "selector/selector.h"

namespace margay::store {
class Store;
}

namespace margay::ipam {

enum class Use : uint8_t { workload, tunnel };  // IPPool.spec.allowedUses

struct Pool {
  std::string name;
  base::Prefix cidr;
  unsigned block_size = 0;  // prefix length of its blocks
  bool disabled = false;
  selector::Selector node_selector;
  std::vector<std::string> allowed_uses;  // empty: all

  bool allows(Use use) const;
};

// All pools, by name. One that cannot be used as it is stored is left out, with a warning.
base::Result<std::vector<Pool>> load_pools(store::Store& store);

// What `wanted` names, by pool name or by CIDR. `invalid` when there is no such pool.
base::Result<std::vector<base::Prefix>> resolve_pools(const std::vector<Pool>& pools,
                                                      const std::vector<std::string>& wanted);

// The labels of a node, from its Kubernetes Node or its projectcalico.org/v3 one.
base::Result<selector::Labels> node_labels(store::Store& store, const std::string& host);

// The blocks of a pool in the order `host` tries them: from a place and in steps that depend on the
// host's name, so that nodes rarely race for one block, and that a free one is soon found also
// where most are taken. Each comes once. Of a pool with more than 2^32 blocks the first 2^32.
class BlockSequence {
 public:
  BlockSequence(const Pool& pool, std::string_view host);
  std::optional<base::Prefix> next();

 private:
  base::IPAddress start_;
  unsigned block_size_;
  uint64_t addresses_per_block_;
  uint64_t count_;
  uint64_t first_;
  uint64_t step_;
  uint64_t given_ = 0;
};

}  // namespace margay::ipam
