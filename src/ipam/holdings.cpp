#include "ipam/holdings.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "api/codec.h"
#include "ipam/block.h"
#include "ipam/names.h"
#include "ipam/pages.h"

namespace margay::ipam {
namespace {

using base::Result;

// Calico's names (libcalico-go lib/ipam, Attribute…).
constexpr std::string_view k_tunnel_types[] = {"ipipTunnelAddress", "vxlanTunnelAddress",
                                               "wireguardTunnelAddress"};

std::string value_of(const api::AllocationAttribute& attribute, const char* name) {
  const auto found = attribute.secondary.find(name);
  return found == attribute.secondary.end() ? "" : found->second;
}

template <typename T>
Result<T> read(const store::Entry& entry) {
  MARGAY_TRY(const auto value, api::parse_json(entry.value));
  return api::decode<T>(value);
}

void warn(const store::Entry& entry, const base::Error& error) {
  spdlog::warn("{} {} is left alone: {}", entry.key.resource, entry.key.name, error.message);
}

Result<Block> read_block(const store::Entry& entry) {
  MARGAY_TRY(auto object, read<api::IPAMBlock>(entry));
  return Block::from_object(std::move(object));
}

std::vector<Share> shares_of(const Block& block) {
  std::vector<Share> shares;
  for (const auto& [address, attribute] : block.allocations()) {
    auto share = std::ranges::find(shares, attribute, &Share::attribute);
    if (share == shares.end()) share = shares.insert(share, {block.cidr(), attribute, {}});
    share->addresses.push_back(address);
  }
  return shares;
}

class Reader {
 public:
  void add(const Block& block) {
    if (const auto host = block.host()) all_.claimed[*host].insert(block.cidr());
    for (auto& share : shares_of(block)) add(std::move(share));
  }
  void add(const api::BlockAffinity& affinity, const base::Prefix& block) {
    all_.claimed[affinity.spec.node].insert(block);
  }
  void add(const api::IPAMHandle& handle) {
    const auto held = by_handle_.find(handle.spec.handle_id);
    const auto is_held_in = [&](const std::string& block) {
      return held != by_handle_.end() &&
             std::ranges::any_of(held->second.shares, [&](const Share& share) {
               return share.block.to_string() == block;
             });
    };
    for (const auto& [block, count] : handle.spec.block) {
      if (is_held_in(block)) continue;
      all_.miscounted.push_back(handle.spec.handle_id);
      return;
    }
  }
  Holdings take() {
    all_.held.reserve(by_handle_.size());
    for (auto& [id, holding] : by_handle_) all_.held.push_back(std::move(holding));
    return std::move(all_);
  }

 private:
  void add(Share share) {
    const auto& id = share.attribute.handle_id;
    if (!id || id->empty()) {
      all_.without_handle.push_back(std::move(share));
      return;
    }
    Holder holder = holder_of(share.attribute);
    auto [at, is_new] = by_handle_.try_emplace(*id);
    Holding& holding = at->second;
    if (is_new) {
      holding.handle_id = *id;
      holding.holder = std::move(holder);
    } else if (holding.holder != holder) {
      holding.holder = {};
    }
    holding.shares.push_back(std::move(share));
  }

  Holdings all_;
  std::map<std::string, Holding> by_handle_;
};

}  // namespace

Holder holder_of(const api::AllocationAttribute& attribute) {
  Holder holder{.node = value_of(attribute, "node"),
                .ns = value_of(attribute, "namespace"),
                .pod = value_of(attribute, "pod")};
  if (holder.node.empty()) return holder;
  const std::string type = value_of(attribute, "type");
  const bool names_pod = !holder.ns.empty() && !holder.pod.empty();
  const bool names_none = holder.ns.empty() && holder.pod.empty();
  if (names_pod && type.empty()) holder.kind = Holder::Kind::pod;
  if (names_none && std::ranges::count(k_tunnel_types, type) > 0)
    holder.kind = Holder::Kind::tunnel;
  return holder;
}

std::vector<base::IPAddress> addresses_of(const Holding& holding) {
  std::vector<base::IPAddress> all;
  for (const auto& share : holding.shares)
    all.insert(all.end(), share.addresses.begin(), share.addresses.end());
  return all;
}

// Blocks before handles: what is counted in between was written after.
Result<Holdings> load_holdings(store::Store& store) {
  Reader reader;
  const auto visit = [&](std::string_view resource, auto read_and_add) {
    return for_each_entry(store, {.resource = std::string(resource)},
                          [&](const store::Entry& entry) -> Result<> {
                            const Result<> added = read_and_add(entry);
                            if (!added) warn(entry, added.error());
                            return {};
                          });
  };
  MARGAY_CHECK(visit(k_blocks, [&](const store::Entry& entry) -> Result<> {
    MARGAY_TRY(const Block block, read_block(entry));
    reader.add(block);
    return {};
  }));
  MARGAY_CHECK(visit(k_affinities, [&](const store::Entry& entry) -> Result<> {
    MARGAY_TRY(const auto affinity, read<api::BlockAffinity>(entry));
    MARGAY_TRY(const auto block, base::Prefix::parse(affinity.spec.cidr));
    reader.add(affinity, block);
    return {};
  }));
  MARGAY_CHECK(visit(k_handles, [&](const store::Entry& entry) -> Result<> {
    MARGAY_TRY(const auto handle, read<api::IPAMHandle>(entry));
    reader.add(handle);
    return {};
  }));
  return reader.take();
}

}  // namespace margay::ipam
