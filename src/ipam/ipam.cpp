#include "ipam/ipam.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/result_steps.h"
#include "ipam/attempts.h"
#include "ipam/block.h"
#include "ipam/names.h"
#include "ipam/overlap.h"

namespace margay::ipam {

using base::ErrorCode;
using base::fail;
using base::IPAddress;
using base::IPFamily;
using base::Prefix;
using base::Result;

// The proof that nothing is lost between a block and its handle. An assignment reads the block,
// then writes the handle, then writes the block as it was read. A release reads the handle, then
// writes the block (even when it has nothing to change there), then writes the handle as it was
// read. So when a release's last write goes through, every assignment that counted itself in the
// handle before either was in the block when the release wrote it, or can no longer be written.
// Both hand their two writes to the store together, in that order: where it makes them in one
// commit, all that is between them is never seen, and the proof needs less than it has.
Result<size_t> Ipam::reconcile(std::string_view handle_id, const Prefix& cidr,
                               const std::function<size_t(Block&)>& change) {
  size_t most_changed = 0;  // the block may have been written before a write was lost to others
  for (Attempts attempts; attempts.left(); attempts.wait()) {
    MARGAY_TRY(const auto handle, handles_.read(handle_id));
    MARGAY_TRY(auto record, blocks_.find(block_name(cidr)));
    int64_t held = 0;
    size_t changed = 0;
    std::optional<Block> block;
    if (record) {
      MARGAY_TRY(block, Block::from_object(record->object));
      changed = change(*block);
      held = static_cast<int64_t>(block->held_by(handle_id).size());
    }
    most_changed = std::max(most_changed, changed);
    const int64_t counted = Handles::count(handle, cidr);
    std::vector<store::Write> writes;
    if (block && (changed != 0 || counted != held)) {
      record->object = block->object();
      if (changed == 0) touch(*record);
      writes.push_back(change_or_removal(*record, *block));
    }
    if (counted != held) {
      if (auto write = handles_.set_count(handle, cidr, held)) writes.push_back(*std::move(write));
    }
    if (writes.empty()) return most_changed;
    MARGAY_TRY(const bool written, won(store_.write(writes)));
    if (written) return most_changed;
  }
  return Attempts::exhausted("block " + cidr.to_string());
}

// A block that nobody has claimed and nobody uses goes.
store::Write Ipam::change_or_removal(const Record<api::IPAMBlock>& record,
                                     const Block& block) const {
  return block.empty() && !block.host() ? blocks_.removal(record) : blocks_.change(record);
}

// The block with what was assigned from it, and before it the handle, which counts as much at
// least. More is counted while another process assigns to the same handle, and left by one that
// died.
Result<bool> Ipam::write_assignment(std::string_view handle_id, Record<api::IPAMBlock> record,
                                    const Block& block) {
  MARGAY_TRY(const auto handle, handles_.read(handle_id));
  const auto held = static_cast<int64_t>(block.held_by(handle_id).size());
  const int64_t count = std::max(held, Handles::count(handle, block.cidr()));
  std::vector<store::Write> writes;
  if (auto write = handles_.set_count(handle, block.cidr(), count)) {
    writes.push_back(*std::move(write));
  }
  record.object = block.object();
  writes.push_back(blocks_.change(record));
  return won(store_.write(writes));
}

Ipam::Ipam(store::Store& store)
    : store_(store),
      blocks_(store, k_blocks),
      configs_(store, k_configs),
      affinities_(store),
      handles_(store) {}

Result<size_t> Ipam::release_handle(std::string_view handle_id) {
  size_t released = 0;
  Result<> unreadable;
  MARGAY_TRY(const auto handle, handles_.read(handle_id));
  for (const auto& [text, count] : handle.object.spec.block) {
    const auto release = [&](Block& block) { return block.release(block.held_by(handle_id)); };
    const auto cidr = Prefix::parse(text);
    const auto freed =
        cidr ? reconcile(handle_id, *cidr, release) : Result<size_t>(fail(cidr.error()));
    if (!freed && !is_unreadable(freed.error())) return freed;
    if (freed)
      released += *freed;
    else
      base::keep_first(unreadable, fail(freed.error().wrap("block " + text)));
  }
  if (!unreadable) return fail(std::move(unreadable).error());
  return released;
}

Result<size_t> Ipam::release_if(const Prefix& block, const api::AllocationAttribute& attribute,
                                const IsUnused& is_unused) {
  if (!attribute.handle_id) {
    return fail(ErrorCode::invalid,
                "block " + block.to_string() + ": what has no handle is released by address");
  }
  Result<> asked;
  const auto release = [&](Block& current) -> size_t {
    const auto held = current.assigned_with(attribute);
    if (held.empty()) return 0;
    const auto unused = is_unused();
    asked = unused ? Result<>{} : fail(unused.error());
    return unused && *unused ? current.release(held) : 0;
  };
  MARGAY_TRY(const size_t released, reconcile(*attribute.handle_id, block, release));
  if (!asked) return fail(std::move(asked).error());
  return released;
}

Result<size_t> Ipam::release(std::span<const IPAddress> addresses) {
  size_t released = 0;
  for (const auto& address : addresses) {
    MARGAY_TRY(const size_t freed, release_one(address));
    released += freed;
  }
  return released;
}

Result<size_t> Ipam::release_one(const IPAddress& address) {
  for (Attempts attempts; attempts.left(); attempts.wait()) {
    MARGAY_TRY(const auto cidr, block_of(address));
    if (!cidr) return 0;
    MARGAY_TRY(auto record, blocks_.find(block_name(*cidr)));
    if (!record) return 0;
    MARGAY_TRY(Block block, Block::from_object(record->object));
    const auto allocation = block.find(address);
    if (!allocation) return 0;
    const auto& handle_id = allocation->attribute.handle_id;
    if (handle_id) {
      return reconcile(*handle_id, *cidr, [&](Block& current) -> size_t {
        const auto now = current.find(address);
        return now && now->attribute.handle_id == handle_id ? current.release({&address, 1}) : 0;
      });
    }
    block.release({&address, 1});
    record->object = block.object();
    MARGAY_TRY(const bool written, won(store_.write({change_or_removal(*record, block)})));
    if (written) return 1;
  }
  return Attempts::exhausted("address " + address.to_string());
}

// By the pools' block sizes; else, for blocks whose pool has gone, by all that blocks can have.
Result<std::optional<Prefix>> Ipam::block_of(const IPAddress& address) {
  MARGAY_TRY(const auto pools, load_pools(store_));
  std::vector<unsigned> lengths;
  for (const auto& pool : pools) {
    if (pool.cidr.contains(address)) lengths.push_back(pool.block_size);
  }
  for (unsigned length = shortest_block(address.family()); length <= address.bits(); ++length) {
    lengths.push_back(length);
  }
  for (const unsigned length : lengths) {
    const Prefix cidr(address, length);
    MARGAY_TRY(const auto record, blocks_.find(block_name(cidr)));
    if (record) return cidr;
  }
  return std::nullopt;
}

Result<std::vector<IPAddress>> Ipam::addresses_of(std::string_view handle_id) {
  std::vector<IPAddress> addresses;
  MARGAY_TRY(const auto handle, handles_.read(handle_id));
  for (const auto& [text, count] : handle.object.spec.block) {
    MARGAY_TRY(const auto held, held_in(handle_id, text));
    addresses.insert(addresses.end(), held.begin(), held.end());
  }
  std::ranges::sort(addresses);
  return addresses;
}

Result<std::vector<IPAddress>> Ipam::keep(std::string_view handle_id) {
  std::vector<IPAddress> addresses;
  MARGAY_TRY(const auto handle, handles_.read(handle_id));
  for (const auto& [text, count] : handle.object.spec.block) {
    MARGAY_TRY(const Prefix cidr, Prefix::parse(text));
    MARGAY_TRY(const auto held, keep_in(handle_id, cidr));
    addresses.insert(addresses.end(), held.begin(), held.end());
  }
  std::ranges::sort(addresses);
  return addresses;
}

Result<std::vector<IPAddress>> Ipam::keep_in(std::string_view handle_id, const Prefix& cidr) {
  for (Attempts attempts; attempts.left(); attempts.wait()) {
    MARGAY_TRY(auto record, blocks_.find(block_name(cidr)));
    if (!record) return {};
    MARGAY_TRY(const Block block, Block::from_object(record->object));
    auto held = block.held_by(handle_id);
    if (held.empty()) return held;
    touch(*record);
    MARGAY_TRY(const bool written, won(blocks_.update(*record)));
    if (written) return held;
  }
  return Attempts::exhausted("block " + cidr.to_string());
}

Result<> Ipam::settle(std::string_view handle_id) {
  MARGAY_TRY(const auto handle, handles_.read(handle_id));
  for (const auto& [text, count] : handle.object.spec.block) {
    MARGAY_TRY(const Prefix cidr, Prefix::parse(text));
    MARGAY_CHECK(reconcile(handle_id, cidr, [](Block&) { return 0; }));
  }
  return {};
}

Result<std::vector<IPAddress>> Ipam::readable_addresses_of(std::string_view handle_id) {
  std::vector<IPAddress> addresses;
  MARGAY_TRY(const auto handle, handles_.read(handle_id));
  for (const auto& [text, count] : handle.object.spec.block) {
    const auto held = held_in(handle_id, text);
    if (!held && !is_unreadable(held.error())) return held;
    if (held) addresses.insert(addresses.end(), held->begin(), held->end());
  }
  std::ranges::sort(addresses);
  return addresses;
}

Result<std::vector<IPAddress>> Ipam::held_in(std::string_view handle_id, const std::string& text) {
  MARGAY_TRY(const Prefix cidr, Prefix::parse(text));
  MARGAY_TRY(const auto record, blocks_.find(block_name(cidr)));
  if (!record) return {};
  MARGAY_TRY(const Block block, Block::from_object(record->object));
  return block.held_by(handle_id);
}

Result<bool> Ipam::holds_only(std::string_view handle_id, const api::Labels& attributes) {
  MARGAY_TRY(const auto addresses, addresses_of(handle_id));
  for (const auto& address : addresses) {
    MARGAY_TRY(const auto cidr, block_of(address));
    if (!cidr) continue;
    MARGAY_TRY(const auto record, blocks_.find(block_name(*cidr)));
    if (!record) continue;
    MARGAY_TRY(const Block block, Block::from_object(record->object));
    const auto held = block.find(address);
    if (!held || held->attribute.handle_id != handle_id) continue;
    const auto& found = held->attribute.secondary;
    const bool all = std::ranges::all_of(attributes, [&](const auto& wanted) {
      const auto at = found.find(wanted.first);
      return at != found.end() && at->second == wanted.second;
    });
    if (!all) return false;
  }
  return true;
}

Result<bool> Ipam::knows(std::string_view handle_id) {
  MARGAY_TRY(const auto handle, handles_.read(handle_id));
  return handle.revision != 0;
}

Result<> Ipam::assign_address(const Owner& owner, const IPAddress& address) {
  MARGAY_TRY(const auto pools, load_pools(store_));
  const auto pool = std::ranges::find_if(
      pools, [&](const Pool& p) { return !p.disabled && p.cidr.contains(address); });
  if (pool == pools.end()) {
    return fail(ErrorCode::invalid,
                fmt::format("address {} is in no enabled IP pool", address.to_string()));
  }
  MARGAY_TRY(const Config settings, config());
  // A block that is there may be of another size: of a pool that was made anew.
  MARGAY_TRY(const auto there, block_of(address));
  const Prefix cidr = there.value_or(Prefix(address, pool->block_size));
  for (Attempts attempts; attempts.left(); attempts.wait()) {
    MARGAY_TRY(const bool done, try_assign_address(owner, address, cidr, settings));
    if (done) return {};
  }
  MARGAY_CHECK(reconcile(owner.handle_id, cidr, [](Block&) { return 0; }));
  return Attempts::exhausted("address " + address.to_string());
}

Result<bool> Ipam::try_assign_address(const Owner& owner, const IPAddress& address,
                                      const Prefix& cidr, const Config& settings) {
  MARGAY_TRY(auto record, blocks_.find(block_name(cidr)));
  if (!record) {
    MARGAY_TRY(const auto in_the_way, overlapping_blocks(blocks_, cidr));
    if (!in_the_way.empty()) {
      return fail(ErrorCode::invalid,
                  fmt::format("address {}: block {} would overlap block {}", address.to_string(),
                              cidr.to_string(), in_the_way[0].object.spec.cidr));
    }
    MARGAY_TRY(const auto claim, affinities_.claim(owner.host, cidr, settings.max_blocks_per_host,
                                                   settings.strict_affinity));
    if (claim != Affinities::Claim::at_limit) return false;
    return fail(ErrorCode::too_large,
                fmt::format("address {}: node {} has {} blocks, as many as it may have",
                            address.to_string(), owner.host, settings.max_blocks_per_host));
  }
  MARGAY_TRY(Block block, Block::from_object(record->object));
  const auto holder = block.find(address);
  if (holder && holder->attribute.handle_id == owner.handle_id) return true;
  if ((settings.strict_affinity || block.strict()) && !block.is_claimed_by(owner.host)) {
    return fail(
        ErrorCode::forbidden,
        fmt::format("address {}: block {} is of node {}, and affinity is strict",
                    address.to_string(), cidr.to_string(), block.host().value_or("(none)")));
  }
  // One of two that overlap is about to be given up: this node's own, if it was stopped while it
  // claimed it.
  MARGAY_TRY(const auto own, affinities_.of_host(owner.host, cidr.family()));
  const bool is_confirmed = std::ranges::any_of(
      own, [&](const auto& claim) { return claim.block == cidr && claim.confirmed; });
  if (!block.is_claimed_by(owner.host) || !is_confirmed) {
    MARGAY_TRY(const bool alone, is_alone(cidr));
    if (!alone) return false;
  }
  MARGAY_CHECK(block.assign(address, {owner.handle_id, owner.attributes}));
  return write_assignment(owner.handle_id, *std::move(record), block);
}

Result<> Ipam::release_affinity(const std::string& host, const Prefix& block, bool must_be_empty) {
  return affinities_.release(host, block, must_be_empty);
}

Result<> Ipam::release_affinities(const std::string& host, bool must_be_empty) {
  for (const IPFamily family : {IPFamily::v4, IPFamily::v6}) {
    MARGAY_TRY(const auto blocks, affinities_.of_host(host, family));
    for (const auto& [block, confirmed] : blocks) {
      const auto released = affinities_.release(host, block, must_be_empty);
      const bool in_use = !released && released.error().code == ErrorCode::conflict;
      if (!released && !(in_use && must_be_empty)) return released;
    }
  }
  return {};
}

Result<Config> Ipam::config() const {
  Config config;
  MARGAY_TRY(const auto record, configs_.find(std::string(k_config_name)));
  if (!record) return config;
  const auto& spec = record->object.spec;
  config.strict_affinity = spec.strict_affinity;
  config.auto_allocate_blocks = spec.auto_allocate_blocks;
  if (spec.max_blocks_per_host > 0) {
    config.max_blocks_per_host = static_cast<size_t>(spec.max_blocks_per_host);
  }
  return config;
}

Result<> Ipam::set_config(const Config& config) {
  // The default is stored as none, as Calico has it.
  const bool has_limit = config.max_blocks_per_host != k_default_blocks_per_host;
  const auto limit = has_limit ? static_cast<int64_t>(config.max_blocks_per_host) : 0;
  for (Attempts attempts; attempts.left(); attempts.wait()) {
    MARGAY_TRY(auto record, configs_.find(std::string(k_config_name)));
    api::IPAMConfig object = record ? record->object : api::IPAMConfig{};
    object.metadata.name = k_config_name;
    object.spec = {.strict_affinity = config.strict_affinity,
                   .auto_allocate_blocks = config.auto_allocate_blocks,
                   .max_blocks_per_host = limit};
    Result<> written;
    if (record) {
      record->object = std::move(object);
      written = configs_.update(*record);
    } else if (const auto created = configs_.create(std::move(object)); !created) {
      written = fail(created.error());
    }
    if (written || !lost_race(written.error())) return written;
  }
  return Attempts::exhausted("IPAM configuration");
}

}  // namespace margay::ipam
