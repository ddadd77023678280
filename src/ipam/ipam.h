#pragma once

// Block-based address management, as Calico v3.19's: nodes claim blocks of a pool and hand out
// addresses of their own blocks; when they may claim no more, they borrow from others' blocks,
// unless affinity is strict. Every address goes by the handle of whoever has it.
//
// All state is in the store, and every step is a compare-and-swap: any number of processes on any
// number of nodes may work at a time, and each may die between any two steps. What a dead one
// leaves behind is found by the handle it worked for: release_handle() (or assigning again) puts
// that right, and check.h lists what nobody has put right yet.
//
// What a call costs does not depend on the cluster's size: own blocks are found by their names, new
// ones and others' by probing. Only where a pool is nearly used up are all its blocks looked at.
//
// Safe from any thread. Calls block; they try again themselves when others were faster, and give
// up with `unavailable`. Errors of the store are passed on: the state is then as after a crash.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/calico.h"
#include "base/address.h"
#include "base/result.h"
#include "ipam/affinities.h"
#include "ipam/handles.h"
#include "ipam/pools.h"
#include "ipam/records.h"

namespace margay::ipam {

// Whom an address is for.
struct Owner {
  std::string host;        // the node
  std::string handle_id;   // "k8s-pod-network.<container id>"
  api::Labels attributes;  // what people want to know: pod, namespace, node
};

struct AssignRequest {
  Owner owner;
  size_t v4 = 0;  // how many addresses
  size_t v6 = 0;
  // By CIDR, as resolve_pools() gives them; then their node selectors are not asked. Empty: every
  // enabled pool that selects the node.
  std::vector<base::Prefix> v4_pools;
  std::vector<base::Prefix> v6_pools;
  Use use = Use::workload;
};

inline constexpr size_t k_default_blocks_per_host = 20;

struct Config {
  bool strict_affinity = false;
  bool auto_allocate_blocks = true;  // may nodes claim blocks as they need them
  size_t max_blocks_per_host = k_default_blocks_per_host;  // of each family
};

class Ipam {
 public:
  explicit Ipam(store::Store& store);

  // All that is asked for, IPv4 first, or nothing: `invalid` when no pool serves the request,
  // `too_large` when the pools (or the node's blocks) are used up.
  base::Result<std::vector<base::IPAddress>> assign(const AssignRequest& request);

  // This address: `invalid` when no enabled pool has it, `already_exists` when another handle
  // holds it, `forbidden` when affinity is strict and the block another node's. Fine when the same
  // handle holds it already.
  base::Result<> assign_address(const Owner& owner, const base::IPAddress& address);

  // Idempotent: what is not assigned is fine. Returns how many were. A block of the handle that
  // cannot be read keeps its addresses; the others are released before that is told as an error.
  base::Result<size_t> release(std::span<const base::IPAddress> addresses);
  base::Result<size_t> release_handle(std::string_view handle_id);
  // For whoever collects what others have left. Releases what is assigned in `block` with exactly
  // this attribute, handle included, if `is_unused` says so: it is asked after the block was read
  // and before that is written by compare-and-swap, and so, maybe, several times. What changed
  // hands, and what was kept (below) since, stays. Returns how many were released at most.
  using IsUnused = std::function<base::Result<bool>()>;
  base::Result<size_t> release_if(const base::Prefix& block,
                                  const api::AllocationAttribute& attribute,
                                  const IsUnused& is_unused);

  base::Result<std::vector<base::IPAddress>> addresses_of(std::string_view handle_id);
  // The same, for who goes on to use what a handle holds already: it is written, so that no
  // release_if() that was decided on what had been read before goes through.
  base::Result<std::vector<base::IPAddress>> keep(std::string_view handle_id);
  // Without those in blocks that cannot be read.
  base::Result<std::vector<base::IPAddress>> readable_addresses_of(std::string_view handle_id);
  // Makes the handle's record say what the blocks do, which is right at any time.
  base::Result<> settle(std::string_view handle_id);
  // Whether all addresses of the handle were assigned with these attributes, among others.
  base::Result<bool> holds_only(std::string_view handle_id, const api::Labels& attributes);
  // Whether the handle is known: one that is may also have nothing but a claim that died.
  base::Result<bool> knows(std::string_view handle_id);

  // Gives a block up (Affinities::release), or all of a node's.
  base::Result<> release_affinity(const std::string& host, const base::Prefix& block,
                                  bool must_be_empty);
  // Blocks in use are passed over if they must be empty.
  base::Result<> release_affinities(const std::string& host, bool must_be_empty);

  base::Result<Config> config() const;
  base::Result<> set_config(const Config& config);

 private:
  struct Search;  // one request, in one family

  base::Result<> assign_family(const AssignRequest& request, base::IPFamily family, size_t count,
                               std::vector<base::IPAddress>& assigned);
  base::Result<std::vector<Pool>> usable_pools(const AssignRequest& request, base::IPFamily family);
  base::Result<> from_own_blocks(Search& search);
  base::Result<> from_new_blocks(Search& search);
  base::Result<> from_others_blocks(Search& search);
  base::Result<std::optional<base::Prefix>> unclaimed_block(const Search& search);
  base::Result<std::optional<base::Prefix>> unclaimed_block_of_all(const Search& search);
  base::Result<bool> can_claim(const Search& search, const base::Prefix& block);
  base::Result<bool> is_alone(const base::Prefix& block);
  base::Result<> assign_from(Search& search, const base::Prefix& block, bool must_be_own);

  // Changes a block for a handle, then makes the handle's count what the block says.
  // `change` returns how many addresses it changed, and may be called again on a newer block.
  base::Result<size_t> reconcile(std::string_view handle_id, const base::Prefix& block,
                                 const std::function<size_t(Block&)>& change);
  // The writes tell whether they went through; false: others were faster.
  base::Result<bool> write_assignment(std::string_view handle_id, Record<api::IPAMBlock> record,
                                      const Block& block);
  store::Write change_or_removal(const Record<api::IPAMBlock>& record, const Block& block) const;
  base::Result<bool> try_assign_address(const Owner& owner, const base::IPAddress& address,
                                        const base::Prefix& block, const Config& config);
  base::Result<std::optional<base::Prefix>> block_of(const base::IPAddress& address);
  base::Result<size_t> release_one(const base::IPAddress& address);
  base::Result<std::vector<base::IPAddress>> keep_in(std::string_view handle_id,
                                                     const base::Prefix& block);
  // Of one block of a handle, which names it so.
  base::Result<std::vector<base::IPAddress>> held_in(std::string_view handle_id,
                                                     const std::string& block);

  store::Store& store_;
  Records<api::IPAMBlock> blocks_;
  Records<api::IPAMConfig> configs_;
  Affinities affinities_;
  Handles handles_;
};

}  // namespace margay::ipam
