#pragma once

// Which node has claimed which block (BlockAffinity and IPAMBlock.spec.affinity).
//
// A claim is written in three steps, so that it can be picked up after a crash between any two:
// the affinity as pending, the block, the affinity as confirmed once the block was seen to be over
// no other. Giving a claim up takes the same steps back: the affinity as pendingDeletion, the block
// (deleted when empty, else left without a node), the affinity away.

#include <optional>
#include <string>
#include <vector>

#include "api/calico.h"
#include "base/address.h"
#include "base/result.h"
#include "ipam/block.h"
#include "ipam/records.h"

namespace margay::ipam {

class Affinities {
 public:
  explicit Affinities(store::Store& store);

  // The blocks of one family that `host` has claimed or is about to claim or to give up.
  struct Claimed {
    base::Prefix block;
    bool confirmed;  // addresses may be assigned from it
  };
  base::Result<std::vector<Claimed>> of_host(const std::string& host, base::IPFamily family) const;

  enum class Claim : uint8_t {
    made,      // it is the host's, now or already
    taken,     // another has it
    at_limit,  // the host has `limit` blocks of that family
  };
  // Also finishes a claim that was left half made.
  base::Result<Claim> claim(const std::string& host, const base::Prefix& block, size_t limit,
                            bool strict) const;

  // Idempotent. A block in use is kept with `conflict` if it must be empty, and else left to be
  // used up without a node.
  base::Result<> release(const std::string& host, const base::Prefix& block,
                         bool must_be_empty) const;

 private:
  using Affinity = Record<api::BlockAffinity>;

  // The step each tries; nothing: others were faster, try again.
  base::Result<std::optional<Claim>> try_claim(const std::string& host, const base::Prefix& block,
                                               size_t limit, bool strict) const;
  base::Result<std::optional<Claim>> claim_block(Affinity affinity, const base::Prefix& block,
                                                 bool strict) const;
  base::Result<std::optional<Claim>> confirm(Affinity affinity, const base::Prefix& block) const;
  base::Result<bool> is_confirmed(const Affinity& affinity, const base::Prefix& block) const;
  base::Result<bool> over_limit(const Affinity& affinity, const base::Prefix& block,
                                size_t limit) const;
  base::Result<bool> try_release(const std::string& host, const base::Prefix& block,
                                 bool must_be_empty) const;
  base::Result<std::vector<Affinity>> list(const std::string& host, base::IPFamily family) const;

  Records<api::BlockAffinity> affinities_;
  Records<api::IPAMBlock> blocks_;
};

}  // namespace margay::ipam
