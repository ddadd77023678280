#include "ipam/affinities.h"

#include <fmt/format.h>

#include <algorithm>

#include "ipam/attempts.h"
#include "ipam/names.h"
#include "ipam/overlap.h"

namespace margay::ipam {
namespace {

using base::ErrorCode;
using base::fail;
using base::IPFamily;
using base::Prefix;
using base::Result;

constexpr const char* k_pending = "pending";
constexpr const char* k_confirmed = "confirmed";
constexpr const char* k_pending_deletion = "pendingDeletion";

api::BlockAffinity pending_affinity(const std::string& host, const Prefix& block) {
  api::BlockAffinity affinity;
  affinity.metadata.name = affinity_name(host, block);
  affinity.spec = {.state = k_pending, .node = host, .cidr = block.to_string(), .deleted = "false"};
  return affinity;
}

}  // namespace

Affinities::Affinities(store::Store& store)
    : affinities_(store, k_affinities), blocks_(store, k_blocks) {}

Result<std::vector<Affinities::Affinity>> Affinities::list(const std::string& host,
                                                           IPFamily family) const {
  MARGAY_TRY(auto all, affinities_.list(affinity_prefix(host)));
  std::erase_if(all, [&](const Affinity& affinity) {
    const auto cidr = Prefix::parse(affinity.object.spec.cidr);
    return affinity.object.spec.node != host || !cidr || cidr->family() != family;
  });
  return all;
}

Result<std::vector<Affinities::Claimed>> Affinities::of_host(const std::string& host,
                                                             IPFamily family) const {
  MARGAY_TRY(const auto mine, list(host, family));
  std::vector<Claimed> blocks;
  blocks.reserve(mine.size());
  for (const auto& affinity : mine) {
    const auto& spec = affinity.object.spec;
    blocks.push_back({*Prefix::parse(spec.cidr), spec.state == k_confirmed});
  }
  return blocks;
}

Result<Affinities::Claim> Affinities::claim(const std::string& host, const Prefix& block,
                                            size_t limit, bool strict) const {
  for (Attempts attempts; attempts.left(); attempts.wait()) {
    MARGAY_TRY(const auto claim, try_claim(host, block, limit, strict));
    if (claim) return *claim;
  }
  return Attempts::exhausted("claim on block " + block.to_string());
}

Result<std::optional<Affinities::Claim>> Affinities::try_claim(const std::string& host,
                                                               const Prefix& block, size_t limit,
                                                               bool strict) const {
  MARGAY_TRY(auto affinity, affinities_.find(affinity_name(host, block)));
  if (affinity && affinity->object.spec.state == k_pending_deletion) {
    const auto released = release(host, block, true);
    if (!released && released.error().code != ErrorCode::conflict) return fail(released.error());
    return std::nullopt;
  }
  if (affinity) {
    MARGAY_TRY(const bool confirmed, is_confirmed(*affinity, block));
    if (confirmed) return Claim::made;
    affinity->object.spec.state = k_pending;
    MARGAY_TRY(const bool mine, won(affinities_.update(*affinity)));
    if (!mine) return std::nullopt;
  } else {
    auto created = affinities_.create(pending_affinity(host, block));
    if (!created && lost_race(created.error())) return std::nullopt;
    if (!created) return fail(created.error());
    affinity = *std::move(created);
  }

  MARGAY_TRY(const bool too_many, over_limit(*affinity, block, limit));
  if (too_many) {
    // The block too: another process of this host may have made it for the same affinity.
    MARGAY_CHECK(try_release(host, block, false));
    MARGAY_TRY(const auto others, list(host, block.family()));
    const auto confirmed = std::ranges::count_if(
        others, [](const Affinity& other) { return other.object.spec.state == k_confirmed; });
    // Claims still pending may be withdrawn as this one was: then there is room after all.
    if (static_cast<size_t>(confirmed) >= limit) return Claim::at_limit;
    return std::nullopt;
  }
  return claim_block(*std::move(affinity), block, strict);
}

Result<std::optional<Affinities::Claim>> Affinities::claim_block(Affinity affinity,
                                                                 const Prefix& block,
                                                                 bool strict) const {
  const std::string host = affinity.object.spec.node;
  const auto created = blocks_.create(Block::claimed_by(host, block, strict).object());
  if (created) return confirm(std::move(affinity), block);
  if (!lost_race(created.error())) return fail(created.error());
  const auto existing = blocks_.find(block_name(block));
  if (existing && !*existing) return std::nullopt;
  const auto found = existing ? Block::from_object((*existing)->object) : fail(existing.error());
  if (!found && !is_unreadable(found.error())) return fail(found.error());
  if (found && found->is_claimed_by(host)) return confirm(std::move(affinity), block);
  MARGAY_TRY(const bool removed, won(affinities_.remove(affinity)));
  return removed ? std::optional(Claim::taken) : std::nullopt;
}

// Two nodes may claim blocks of different sizes over each other at one moment (a pool remade with
// another block size): their names differ, so neither write loses. So each looks again once its
// block is there, and yields when another is too: of two, at least one was there before the other
// looked. Both may yield, and go on to other blocks. Only then is a claim confirmed, and addresses
// are assigned only from blocks that were seen alone after they were made.
Result<std::optional<Affinities::Claim>> Affinities::confirm(Affinity affinity,
                                                             const Prefix& block) const {
  MARGAY_TRY(const auto there, overlapping_blocks(blocks_, block));
  const bool alone = std::ranges::all_of(
      there, [&](const auto& record) { return record.object.spec.cidr == block.to_string(); });
  if (!alone) {
    MARGAY_CHECK(release(affinity.object.spec.node, block, false));
    return Claim::taken;
  }
  affinity.object.spec.state = k_confirmed;
  MARGAY_TRY(const bool confirmed, won(affinities_.update(affinity)));
  return confirmed ? std::optional(Claim::made) : std::nullopt;
}

// Confirmed, and the block is there and agrees.
Result<bool> Affinities::is_confirmed(const Affinity& affinity, const Prefix& block) const {
  if (affinity.object.spec.state != k_confirmed) return false;
  MARGAY_TRY(const auto record, blocks_.find(block_name(block)));
  if (!record) return false;
  MARGAY_TRY(const Block found, Block::from_object(record->object));
  return found.is_claimed_by(affinity.object.spec.node);
}

// Asked after the claim is written, so that of two that are made at a time one sees the other.
Result<bool> Affinities::over_limit(const Affinity& affinity, const Prefix& block,
                                    size_t limit) const {
  MARGAY_TRY(const auto mine, list(affinity.object.spec.node, block.family()));
  return mine.size() > limit;
}

Result<> Affinities::release(const std::string& host, const Prefix& block,
                             bool must_be_empty) const {
  for (Attempts attempts; attempts.left(); attempts.wait()) {
    MARGAY_TRY(const bool done, try_release(host, block, must_be_empty));
    if (done) return {};
  }
  return Attempts::exhausted("release of block " + block.to_string());
}

Result<bool> Affinities::try_release(const std::string& host, const Prefix& block,
                                     bool must_be_empty) const {
  MARGAY_TRY(auto affinity, affinities_.find(affinity_name(host, block)));
  MARGAY_TRY(auto record, blocks_.find(block_name(block)));
  std::optional<Block> claimed;
  if (record) {
    MARGAY_TRY(Block found, Block::from_object(record->object));
    if (found.is_claimed_by(host)) claimed = std::move(found);
  }
  if (claimed && !claimed->empty() && must_be_empty) {
    if (affinity && affinity->object.spec.state == k_pending_deletion) {
      // Of a release that died half way. Pending, not confirmed: the claim is judged anew, and
      // may have been given up because the host had too many.
      affinity->object.spec.state = k_pending;
      MARGAY_TRY(const bool restored, won(affinities_.update(*affinity)));
      if (!restored) return false;
    }
    return fail(ErrorCode::conflict, fmt::format("block {} is in use", block.to_string()));
  }
  if (affinity && affinity->object.spec.state != k_pending_deletion) {
    affinity->object.spec.state = k_pending_deletion;
    MARGAY_TRY(const bool marked, won(affinities_.update(*affinity)));
    if (!marked) return false;
  }
  if (claimed && claimed->empty()) {
    MARGAY_TRY(const bool removed, won(blocks_.remove(*record)));
    if (!removed) return false;
  } else if (claimed) {
    claimed->drop_claim();
    record->object = claimed->object();
    MARGAY_TRY(const bool dropped, won(blocks_.update(*record)));
    if (!dropped) return false;
  }
  return affinity ? won(affinities_.remove(*affinity)) : Result<bool>(true);
}

}  // namespace margay::ipam
