// Automatic assignment: from the node's own blocks, then from new ones, then from other nodes'.

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "ipam/attempts.h"
#include "ipam/block.h"
#include "ipam/ipam.h"
#include "ipam/names.h"
#include "ipam/overlap.h"

namespace margay::ipam {

using base::ErrorCode;
using base::fail;
using base::IPAddress;
using base::IPFamily;
using base::Prefix;
using base::Result;

struct Ipam::Search {
  const AssignRequest& request;
  const Config config;
  const std::vector<Pool> pools;  // usable ones
  IPFamily family;
  size_t wanted;  // still
  std::vector<IPAddress> assigned;
  std::set<Prefix> tried;  // blocks that had none left

  const Owner& owner() const { return request.owner; }
  bool covers(const Prefix& block) const {
    return std::ranges::any_of(pools, [&](const Pool& pool) { return pool.cidr.contains(block); });
  }
  bool pools_were_named() const {
    return !(family == IPFamily::v4 ? request.v4_pools : request.v6_pools).empty();
  }
};

namespace {

// Of a pool of which nine tenths are taken, one search in a thousand does not end within these.
constexpr int k_probes = 64;

std::string_view name_of(IPFamily family) { return family == IPFamily::v4 ? "IPv4" : "IPv6"; }

bool overlaps_any(const Prefix& block, const std::set<Prefix>& others) {
  const auto after = others.upper_bound(block);
  if (after != others.end() && after->overlaps(block)) return true;
  return after != others.begin() && std::prev(after)->overlaps(block);
}

}  // namespace

Result<std::vector<IPAddress>> Ipam::assign(const AssignRequest& request) {
  std::vector<IPAddress> assigned;
  for (const auto& [family, count] :
       {std::pair{IPFamily::v4, request.v4}, std::pair{IPFamily::v6, request.v6}}) {
    if (count == 0) continue;
    const auto done = assign_family(request, family, count, assigned);
    if (done) continue;
    const auto undone = release(assigned);
    if (!undone) {
      spdlog::warn("addresses of handle {} are left assigned until it is released: {}",
                   request.owner.handle_id, undone.error().message);
    }
    return fail(done.error());
  }
  return assigned;
}

Result<> Ipam::assign_family(const AssignRequest& request, IPFamily family, size_t count,
                             std::vector<IPAddress>& assigned) {
  MARGAY_TRY(const Config settings, config());
  MARGAY_TRY(auto pools, usable_pools(request, family));
  if (pools.empty()) {
    return fail(ErrorCode::invalid, fmt::format("no enabled {} pool serves node {}",
                                                name_of(family), request.owner.host));
  }
  Search search{.request = request,
                .config = settings,
                .pools = std::move(pools),
                .family = family,
                .wanted = count};
  auto done = from_own_blocks(search);
  if (done && search.wanted > 0 && settings.auto_allocate_blocks) done = from_new_blocks(search);
  if (done && search.wanted > 0 && !settings.strict_affinity) done = from_others_blocks(search);
  // Also of a search that failed: the caller gives them back.
  assigned.insert(assigned.end(), search.assigned.begin(), search.assigned.end());
  if (done && search.wanted > 0) {
    return fail(ErrorCode::too_large,
                fmt::format("{} {} addresses wanted for node {}, and {} left in its pools", count,
                            name_of(family), request.owner.host, search.assigned.size()));
  }
  return done;
}

Result<std::vector<Pool>> Ipam::usable_pools(const AssignRequest& request, IPFamily family) {
  MARGAY_TRY(auto pools, load_pools(store_));
  std::erase_if(pools,
                [&](const Pool& pool) { return pool.cidr.family() != family || pool.disabled; });
  const auto& named = family == IPFamily::v4 ? request.v4_pools : request.v6_pools;
  if (!named.empty()) {
    std::vector<Pool> chosen;
    for (const auto& cidr : named) {
      const auto pool = std::ranges::find(pools, cidr, &Pool::cidr);
      if (pool == pools.end()) {
        return fail(ErrorCode::invalid,
                    fmt::format("IP pool {} does not exist or is not enabled", cidr.to_string()));
      }
      if (pool->allows(request.use)) chosen.push_back(*pool);
    }
    if (chosen.empty())
      return fail(ErrorCode::invalid,
                  "no IP pool that was asked for allows such use (allowedUses)");
    return chosen;
  }
  std::erase_if(pools, [&](const Pool& pool) { return !pool.allows(request.use); });
  const auto selects_all = [](const Pool& pool) { return pool.node_selector.is_all(); };
  if (std::ranges::all_of(pools, selects_all)) return pools;
  MARGAY_TRY(const auto labels, node_labels(store_, request.owner.host));
  std::erase_if(pools, [&](const Pool& pool) { return !pool.node_selector.matches(labels); });
  return pools;
}

Result<> Ipam::from_own_blocks(Search& search) {
  const std::string& host = search.owner().host;
  MARGAY_TRY(const auto blocks, affinities_.of_host(host, search.family));
  for (const auto& [block, confirmed] : blocks) {
    if (search.covers(block)) {
      if (confirmed) MARGAY_CHECK(assign_from(search, block, true));
      if (search.wanted == 0) return {};
    } else if (!search.pools_were_named()) {
      // Its pool is gone, disabled or meant for other nodes now.
      const auto released = affinities_.release(host, block, true);
      // Of no use to this request: what is wrong with it does not keep others from being assigned.
      const bool may_stay = !released && (released.error().code == ErrorCode::conflict ||
                                          is_unreadable(released.error()));
      if (!released && !may_stay) return released;
    }
  }
  // Claims that were left half made have no block to assign from yet, or none that may be used.
  for (const auto& [block, confirmed] : blocks) {
    if (!search.covers(block) || search.tried.contains(block)) continue;
    MARGAY_TRY(const auto claim, affinities_.claim(host, block, search.config.max_blocks_per_host,
                                                   search.config.strict_affinity));
    if (claim != Affinities::Claim::made) continue;
    MARGAY_CHECK(assign_from(search, block, true));
    if (search.wanted == 0) return {};
  }
  return {};
}

Result<> Ipam::from_new_blocks(Search& search) {
  while (search.wanted > 0) {
    MARGAY_TRY(const auto block, unclaimed_block(search));
    if (!block) return {};
    MARGAY_TRY(const auto claim,
               affinities_.claim(search.owner().host, *block, search.config.max_blocks_per_host,
                                 search.config.strict_affinity));
    if (claim == Affinities::Claim::at_limit) return {};
    if (claim == Affinities::Claim::made) MARGAY_CHECK(assign_from(search, *block, true));
    search.tried.insert(*block);
  }
  return {};
}

// By probing; when most of what it finds is taken, by looking at all blocks there are.
Result<std::optional<Prefix>> Ipam::unclaimed_block(const Search& search) {
  for (const auto& pool : search.pools) {
    BlockSequence candidates(pool, search.owner().host);
    int probes = 0;
    while (const auto candidate = candidates.next()) {
      if (search.tried.contains(*candidate)) continue;
      MARGAY_TRY(const bool claimable, can_claim(search, *candidate));
      if (claimable) return *candidate;
      if (++probes == k_probes) return unclaimed_block_of_all(search);
    }
  }
  return std::nullopt;
}

Result<bool> Ipam::can_claim(const Search& search, const Prefix& block) {
  MARGAY_TRY(const auto there, overlapping_blocks(blocks_, block));
  if (there.empty()) return true;
  // One of ours whose affinity got lost is taken up again before a new one.
  return there.size() == 1 && there[0].object.spec.cidr == block.to_string() &&
         there[0].object.spec.affinity == "host:" + search.owner().host;
}

Result<std::optional<Prefix>> Ipam::unclaimed_block_of_all(const Search& search) {
  MARGAY_TRY(const auto records, blocks_.list());
  std::set<Prefix> existing = search.tried;
  for (const auto& record : records) {
    const auto found = Prefix::parse(record.object.spec.cidr);
    if (!found) continue;
    const Prefix cidr = *found;
    const bool mine = record.object.spec.affinity == "host:" + search.owner().host;
    if (mine && search.covers(cidr) && !search.tried.contains(cidr)) return cidr;
    existing.insert(cidr);
  }
  for (const auto& pool : search.pools) {
    BlockSequence candidates(pool, search.owner().host);
    while (const auto candidate = candidates.next()) {
      if (!overlaps_any(*candidate, existing)) return *candidate;
    }
  }
  return std::nullopt;
}

// The same way: most blocks have some left, unless nearly all is used up. One that another node has
// just made may yet be given up for another over it (Affinities::confirm): those are passed over.
Result<> Ipam::from_others_blocks(Search& search) {
  for (const auto& pool : search.pools) {
    BlockSequence candidates(pool, search.owner().host);
    for (int probes = 0; probes < k_probes; ++probes) {
      const auto candidate = candidates.next();
      if (!candidate) break;
      if (search.tried.contains(*candidate)) continue;
      MARGAY_CHECK(assign_from(search, *candidate, false));
      if (search.wanted == 0) return {};
    }
  }
  MARGAY_TRY(const auto records, blocks_.list());
  for (const auto& pool : search.pools) {
    for (const auto& record : records) {
      if (record.object.spec.unallocated.empty()) continue;
      const auto cidr = Prefix::parse(record.object.spec.cidr);
      if (!cidr || !pool.cidr.contains(*cidr) || search.tried.contains(*cidr)) continue;
      MARGAY_CHECK(assign_from(search, *cidr, false));
      if (search.wanted == 0) return {};
    }
  }
  return {};
}

Result<bool> Ipam::is_alone(const Prefix& block) {
  MARGAY_TRY(const auto there, overlapping_blocks(blocks_, block));
  return there.size() == 1;
}

// As many as are wanted, or as the block has.
Result<> Ipam::assign_from(Search& search, const Prefix& cidr, bool must_be_own) {
  const Owner& owner = search.owner();
  bool lost = false;
  for (Attempts attempts; attempts.left(); attempts.wait()) {
    auto record = blocks_.find(block_name(cidr));
    if (record && !*record) break;
    auto block = record ? Block::from_object((*record)->object) : fail(record.error());
    if (!block && is_unreadable(block.error())) {
      spdlog::warn("passed over: {}", block.error().message);
      search.tried.insert(cidr);
      break;
    }
    if (!block) return fail(block.error());
    const bool own = block->is_claimed_by(owner.host);
    if (!own && (must_be_own || block->strict())) break;
    const auto addresses = block->assign(search.wanted, {owner.handle_id, owner.attributes});
    if (block->free() == 0) search.tried.insert(cidr);
    if (addresses.empty()) break;
    if (!own) {
      MARGAY_TRY(const bool alone, is_alone(cidr));
      if (!alone) break;
    }

    MARGAY_TRY(const bool written, write_assignment(owner.handle_id, **std::move(record), *block));
    lost = !written;
    if (lost) continue;
    search.assigned.insert(search.assigned.end(), addresses.begin(), addresses.end());
    search.wanted -= addresses.size();
    return {};
  }
  // The handle may count what the block never got.
  if (lost) MARGAY_CHECK(reconcile(owner.handle_id, cidr, [](Block&) { return 0; }));
  return {};
}

}  // namespace margay::ipam
