#include "ipam/pools.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "api/calico.h"
#include "api/codec.h"
#include "api/kubernetes.h"
#include "ipam/block.h"
#include "store/store.h"

namespace margay::ipam {
namespace {

using base::ErrorCode;
using base::fail;
using base::Prefix;
using base::Result;

constexpr std::string_view k_pools = "ippools.projectcalico.org";
constexpr unsigned k_default_block_size_v4 = 26;
constexpr unsigned k_default_block_size_v6 = 122;
constexpr unsigned k_most_block_bits = 32;

Result<Pool> read_pool(const store::Entry& entry) {
  MARGAY_TRY(const auto json, api::parse_json(entry.value));
  MARGAY_TRY(const auto object, api::decode<api::IPPool>(json));
  Pool pool{.name = object.metadata.name,
            .disabled = object.spec.disabled,
            .allowed_uses = object.spec.allowed_uses};
  MARGAY_TRY(pool.cidr, Prefix::parse(object.spec.cidr));
  MARGAY_TRY(pool.node_selector, selector::Selector::parse(object.spec.node_selector));
  const bool v4 = pool.cidr.family() == base::IPFamily::v4;
  pool.block_size = object.spec.block_size != 0 ? static_cast<unsigned>(object.spec.block_size)
                    : v4                        ? k_default_block_size_v4
                                                : k_default_block_size_v6;
  const unsigned least = std::max(shortest_block(pool.cidr.family()), pool.cidr.length());
  if (pool.block_size < least || pool.block_size > pool.cidr.address().bits()) {
    return fail(ErrorCode::invalid, fmt::format("spec.blockSize: {} does not fit a pool of {}",
                                                pool.block_size, pool.cidr.to_string()));
  }
  return pool;
}

// FNV-1a: the same on every machine and in every release.
uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

template <typename T>
Result<std::optional<selector::Labels>> labels_of(store::Store& store, const store::Key& key) {
  const auto entry = store.get(key);
  if (!entry && entry.error().code == ErrorCode::not_found) return std::nullopt;
  if (!entry) return fail(entry.error());
  MARGAY_TRY(const auto json, api::parse_json(entry->value));
  MARGAY_TRY(const T node, api::decode<T>(json));
  return std::optional(node.metadata.labels);
}

}  // namespace

bool Pool::allows(Use use) const {
  const std::string_view wanted = use == Use::tunnel ? "Tunnel" : "Workload";
  return allowed_uses.empty() || std::ranges::find(allowed_uses, wanted) != allowed_uses.end();
}

Result<std::vector<Pool>> load_pools(store::Store& store) {
  MARGAY_TRY(const auto list, store.list({.resource = std::string(k_pools)}));
  std::vector<Pool> pools;
  for (const auto& entry : list.entries) {
    auto pool = read_pool(entry);
    if (pool) {
      pools.push_back(*std::move(pool));
    } else {
      spdlog::warn("IPPool {} is not used: {}", entry.key.name, pool.error().message);
    }
  }
  return pools;
}

Result<std::vector<Prefix>> resolve_pools(const std::vector<Pool>& pools,
                                          const std::vector<std::string>& wanted) {
  std::vector<Prefix> cidrs;
  for (const auto& text : wanted) {
    const auto cidr = Prefix::parse(text);
    const auto found = std::ranges::find_if(
        pools, [&](const Pool& pool) { return cidr ? pool.cidr == *cidr : pool.name == text; });
    if (found == pools.end()) {
      return fail(ErrorCode::invalid, fmt::format("there is no IP pool \"{}\"", text));
    }
    cidrs.push_back(found->cidr);
  }
  return cidrs;
}

Result<selector::Labels> node_labels(store::Store& store, const std::string& host) {
  MARGAY_TRY(auto labels, labels_of<api::kubernetes::Node>(
                              store, {.resource = "nodes", .ns = {}, .name = host}));
  if (!labels) {
    MARGAY_TRY(labels, labels_of<api::CalicoNode>(
                           store, {.resource = "nodes.projectcalico.org", .ns = {}, .name = host}));
  }
  if (!labels) return fail(ErrorCode::not_found, fmt::format("there is no node \"{}\"", host));
  return *std::move(labels);
}

BlockSequence::BlockSequence(const Pool& pool, std::string_view host)
    : start_(pool.cidr.address()),
      block_size_(pool.block_size),
      addresses_per_block_(uint64_t{1} << (pool.cidr.address().bits() - pool.block_size)),
      count_(uint64_t{1} << std::min(pool.block_size - pool.cidr.length(), k_most_block_bits)),
      first_(hash_of(host) % count_),
      // Odd, and so without a common divisor with the count: each block comes once.
      step_((hash_of(fmt::format("{}/step", host)) | 1) % count_) {}

std::optional<Prefix> BlockSequence::next() {
  if (given_ == count_) return std::nullopt;
  const uint64_t index = (first_ + given_++ * step_) % count_;
  return Prefix(start_.plus(index * addresses_per_block_), block_size_);
}

}  // namespace margay::ipam
