#pragma once

// A block of addresses and who has them: pure logic on the content of an IPAMBlock, as Calico
// v3.19 lays it out. Free addresses queue: one that is released is used again last. Attributes
// (handle and what else is known) are shared by the addresses that have the same.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/calico.h"
#include "base/address.h"
#include "base/result.h"

namespace margay::ipam {

// The length of the largest blocks there are, of 4096 addresses.
constexpr unsigned shortest_block(base::IPFamily family) {
  return family == base::IPFamily::v4 ? 20 : 116;
}

class Block {
 public:
  // An empty one, claimed by `host`.
  static Block claimed_by(std::string_view host, const base::Prefix& cidr, bool strict);
  // `internal` when the record contradicts itself: the addresses it covers must then not be used.
  static base::Result<Block> from_object(api::IPAMBlock object);

  const api::IPAMBlock& object() const { return object_; }
  const base::Prefix& cidr() const { return cidr_; }
  bool contains(const base::IPAddress& address) const { return cidr_.contains(address); }

  std::optional<std::string> host() const;  // that claimed it
  bool is_claimed_by(std::string_view host) const;
  bool strict() const { return object_.spec.strict_affinity; }
  void drop_claim() { object_.spec.affinity.reset(); }

  size_t free() const { return object_.spec.unallocated.size(); }
  bool empty() const { return free() == object_.spec.allocations.size(); }

  struct Allocation {
    base::IPAddress address;
    api::AllocationAttribute attribute;
  };
  std::vector<Allocation> allocations() const;
  std::optional<Allocation> find(const base::IPAddress& address) const;
  std::vector<base::IPAddress> held_by(std::string_view handle_id) const;
  std::vector<base::IPAddress> assigned_with(const api::AllocationAttribute& attribute) const;

  // Up to `count` free ones.
  std::vector<base::IPAddress> assign(size_t count, const api::AllocationAttribute& attribute);
  // `already_exists` when it is taken, `invalid` when it is outside.
  base::Result<> assign(const base::IPAddress& address, const api::AllocationAttribute& attribute);
  // Those that were taken become free; others are ignored. Returns how many became free.
  size_t release(std::span<const base::IPAddress> addresses);

 private:
  Block(api::IPAMBlock object, base::Prefix cidr) : object_(std::move(object)), cidr_(cidr) {}
  base::Result<> check() const;
  std::optional<size_t> ordinal(const base::IPAddress& address) const;
  base::IPAddress address_at(size_t ordinal) const { return cidr_.address().plus(ordinal); }
  int64_t attribute_index(const api::AllocationAttribute& attribute);
  void drop_unused_attributes();

  api::IPAMBlock object_;
  base::Prefix cidr_;
};

}  // namespace margay::ipam
