#include "ipam/block.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "ipam/names.h"

namespace margay::ipam {
namespace {

using base::ErrorCode;
using base::fail;
using base::IPAddress;
using base::Prefix;
using base::Result;

constexpr std::string_view k_host_prefix = "host:";

size_t size_of(const Prefix& cidr) { return size_t{1} << (cidr.address().bits() - cidr.length()); }

}  // namespace

Block Block::claimed_by(std::string_view host, const Prefix& cidr, bool strict) {
  api::IPAMBlock object;
  object.metadata.name = block_name(cidr);
  object.spec.cidr = cidr.to_string();
  object.spec.affinity = std::string(k_host_prefix) + std::string(host);
  object.spec.strict_affinity = strict;
  object.spec.allocations.resize(size_of(cidr));
  object.spec.unallocated.resize(size_of(cidr));
  std::iota(object.spec.unallocated.begin(), object.spec.unallocated.end(), 0);
  return {std::move(object), cidr};
}

Result<Block> Block::from_object(api::IPAMBlock object) {
  const auto cidr = Prefix::parse_strict(object.spec.cidr);
  if (!cidr || cidr->length() < shortest_block(cidr->family())) {
    return fail(ErrorCode::internal, fmt::format("block {}: \"{}\" is not the CIDR of a block",
                                                 object.metadata.name, object.spec.cidr));
  }
  Block block(std::move(object), *cidr);
  MARGAY_CHECK(block.check());
  return block;
}

// Every address is either allocated with an attribute there is, or queued as free exactly once.
Result<> Block::check() const {
  const auto broken = [&](std::string why) {
    return fail(ErrorCode::internal, fmt::format("block {}: {}", cidr_.to_string(), why));
  };
  const auto& spec = object_.spec;
  if (spec.allocations.size() != size_of(cidr_)) {
    return broken(
        fmt::format("has {} allocations, not {}", spec.allocations.size(), size_of(cidr_)));
  }
  std::vector<bool> queued(spec.allocations.size());
  for (const int64_t free : spec.unallocated) {
    if (free < 0 || free >= static_cast<int64_t>(queued.size())) {
      return broken(fmt::format("unallocated {} is outside", free));
    }
    const auto ordinal = static_cast<size_t>(free);
    if (queued[ordinal]) return broken(fmt::format("unallocated {} is there twice", free));
    if (spec.allocations[ordinal]) return broken(fmt::format("{} is both allocated and not", free));
    queued[ordinal] = true;
  }
  for (size_t ordinal = 0; ordinal < queued.size(); ++ordinal) {
    const auto& allocation = spec.allocations[ordinal];
    if (!allocation && !queued[ordinal]) {
      return broken(fmt::format("{} is neither allocated nor unallocated", ordinal));
    }
    if (allocation &&
        (*allocation < 0 || *allocation >= static_cast<int64_t>(spec.attributes.size()))) {
      return broken(fmt::format("{} has attribute {}, which is not there", ordinal, *allocation));
    }
  }
  return {};
}

std::optional<std::string> Block::host() const {
  const auto& affinity = object_.spec.affinity;
  if (!affinity || !affinity->starts_with(k_host_prefix)) return std::nullopt;
  return affinity->substr(k_host_prefix.size());
}

bool Block::is_claimed_by(std::string_view name) const { return host() == name; }

std::optional<size_t> Block::ordinal(const IPAddress& address) const {
  if (!contains(address)) return std::nullopt;
  size_t ordinal = 0;
  for (unsigned bit = cidr_.length(); bit < address.bits(); ++bit) {
    ordinal = ordinal << 1 | (address.bit(bit) ? 1 : 0);
  }
  return ordinal;
}

std::vector<Block::Allocation> Block::allocations() const {
  std::vector<Allocation> all;
  for (size_t i = 0; i < object_.spec.allocations.size(); ++i) {
    const auto& index = object_.spec.allocations[i];
    if (index) all.push_back({address_at(i), object_.spec.attributes[static_cast<size_t>(*index)]});
  }
  return all;
}

std::optional<Block::Allocation> Block::find(const IPAddress& address) const {
  const auto place = ordinal(address);
  if (!place || !object_.spec.allocations[*place]) return std::nullopt;
  const auto index = static_cast<size_t>(*object_.spec.allocations[*place]);
  return Allocation{address, object_.spec.attributes[index]};
}

std::vector<IPAddress> Block::held_by(std::string_view handle_id) const {
  std::vector<IPAddress> held;
  for (const auto& allocation : allocations()) {
    if (allocation.attribute.handle_id == handle_id) held.push_back(allocation.address);
  }
  return held;
}

std::vector<IPAddress> Block::assigned_with(const api::AllocationAttribute& attribute) const {
  std::vector<IPAddress> assigned;
  for (const auto& allocation : allocations())
    if (allocation.attribute == attribute) assigned.push_back(allocation.address);
  return assigned;
}

int64_t Block::attribute_index(const api::AllocationAttribute& attribute) {
  auto& attributes = object_.spec.attributes;
  const auto found = std::ranges::find(attributes, attribute);
  if (found != attributes.end()) return found - attributes.begin();
  attributes.push_back(attribute);
  return static_cast<int64_t>(attributes.size()) - 1;
}

std::vector<IPAddress> Block::assign(size_t count, const api::AllocationAttribute& attribute) {
  auto& queue = object_.spec.unallocated;
  const size_t taken = std::min(count, queue.size());
  if (taken == 0) return {};
  const int64_t index = attribute_index(attribute);
  std::vector<IPAddress> addresses;
  for (size_t i = 0; i < taken; ++i) {
    const auto place = static_cast<size_t>(queue[i]);
    object_.spec.allocations[place] = index;
    addresses.push_back(address_at(place));
  }
  queue.erase(queue.begin(), queue.begin() + static_cast<ptrdiff_t>(taken));
  return addresses;
}

Result<> Block::assign(const IPAddress& address, const api::AllocationAttribute& attribute) {
  const auto place = ordinal(address);
  if (!place) {
    return fail(ErrorCode::invalid, fmt::format("address {} is not in block {}",
                                                address.to_string(), cidr_.to_string()));
  }
  if (object_.spec.allocations[*place]) {
    return fail(ErrorCode::already_exists,
                fmt::format("address {} is already assigned", address.to_string()));
  }
  object_.spec.allocations[*place] = attribute_index(attribute);
  std::erase(object_.spec.unallocated, static_cast<int64_t>(*place));
  return {};
}

size_t Block::release(std::span<const IPAddress> addresses) {
  size_t released = 0;
  for (const auto& address : addresses) {
    const auto place = ordinal(address);
    if (!place || !object_.spec.allocations[*place]) continue;
    object_.spec.allocations[*place].reset();
    object_.spec.unallocated.push_back(static_cast<int64_t>(*place));
    ++released;
  }
  drop_unused_attributes();
  return released;
}

void Block::drop_unused_attributes() {
  auto& spec = object_.spec;
  std::vector<std::optional<int64_t>> moved_to(spec.attributes.size());
  std::vector<api::AllocationAttribute> kept;
  for (auto& allocation : spec.allocations) {
    if (!allocation) continue;
    auto& target = moved_to[static_cast<size_t>(*allocation)];
    if (!target) {
      target = static_cast<int64_t>(kept.size());
      kept.push_back(std::move(spec.attributes[static_cast<size_t>(*allocation)]));
    }
    allocation = target;
  }
  spec.attributes = std::move(kept);
}

}  // namespace margay::ipam
