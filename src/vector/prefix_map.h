#pragma once

// Longest-prefix match: which value counts for an address. Routes are one use (prefix ->
// adjacency), policy another (prefix -> class of addresses).
//
// Values are 1 to k_largest_value; 0 means that no prefix covers the address.
//
// One control thread changes the map while any number of workers look addresses up, without locks
// or retries. For each address a lookup gives the answer of some moment between its begin and end;
// a change of a short prefix reaches the addresses it decides for one after the other. Workers must
// take part in the map's Rcu. A map is destroyed when no worker starts a lookup any more; its
// memory goes by the Rcu, which must live longer.

#include <atomic>
#include <memory>
#include <span>
#include <utility>

#include "base/address.h"
#include "vector/prefix_nodes.h"
#include "vector/rcu.h"

namespace margay::vector {

template <typename Nodes>
class PrefixMap {
 public:
  using Address = typename Nodes::Address;  // v4: host order; v6: 16 bytes in network order
  static constexpr uint32_t k_largest_value = (1U << 30) - 1;
  static Address address(const base::IPAddress& of) { return Nodes::address(of); }

  explicit PrefixMap(Rcu& rcu);
  ~PrefixMap();
  PrefixMap(const PrefixMap&) = delete;
  PrefixMap& operator=(const PrefixMap&) = delete;

  // The control thread. Both throw std::invalid_argument for a value out of range or a prefix of
  // the other family, std::bad_alloc beyond tens of millions of prefixes.
  //
  // Inserts or replaces; returns whether the prefix is new.
  bool set(const base::Prefix& prefix, uint32_t value);
  // Replaces everything, at once for each address. Of equal prefixes the last counts.
  void assign(std::span<const std::pair<base::Prefix, uint32_t>> content);

  // Returns whether the prefix was there.
  bool erase(const base::Prefix& prefix);
  // The value of exactly this prefix, or 0.
  uint32_t find(const base::Prefix& prefix) const;
  size_t size() const;
  // Bytes in use on both sides, together with those that wait for the Rcu or for reuse.
  size_t memory() const;

  // Workers.
  uint32_t lookup(const Address& address) const;
  // Many at once, which hides the waiting for memory; `values` has room for as many.
  void lookup_many(std::span<const Address> addresses, uint32_t* values) const;

 private:
  struct State;
  using Key = typename Nodes::Key;
  static Key checked_key(const base::Prefix& prefix);
  static void check_value(uint32_t value);
  void renew(Key key, unsigned length);

  Rcu& rcu_;
  std::shared_ptr<State> state_;
  std::atomic<const State*> published_;
};

using PrefixMap4 = PrefixMap<PrefixNodes4>;
using PrefixMap6 = PrefixMap<PrefixNodes6>;

}  // namespace margay::vector
