#pragma once

// Which class an address is of: the atoms (lists of nets in rules, IP sets) that contain it, by
// longest prefix match over all prefixes of all atoms, both families.
//
// The control thread adds and removes prefixes; what that costs is in proportion to what is inside
// the prefix. Workers see the changes with the snapshot of the generation that `stage` names
// (vector/classifier/staged_classes.h).

#include <array>
#include <bitset>
#include <cstdint>
#include <vector>

#include "base/address.h"
#include "vector/classifier/staged_classes.h"
#include "vector/prefix_map.h"

namespace margay::vector {

class AddressClasses {
 public:
  explicit AddressClasses(Rcu& rcu);

  // Workers. A class or a transition; `resolve` makes a class of both.
  const PrefixMap4& v4() const { return map_.v4; }
  const PrefixMap6& v6() const { return map_.v6; }
  uint32_t resolve(uint32_t value, uint64_t generation) const {
    return classes_.resolve(value, generation);
  }

  // Control thread. Idempotent.
  void add(uint32_t atom, const base::Prefix& prefix);
  void remove(uint32_t atom, const base::Prefix& prefix);

  void stage(uint64_t generation, auto use) {
    classes_.stage(generation, [this](const base::Prefix& key) { return mapped_around(key); }, use);
  }
  std::vector<uint32_t> commit(uint64_t generation);
  void release(const std::vector<uint32_t>& spent) { classes_.release(spent); }

  AtomSets& sets() { return sets_; }
  const AtomSets& sets() const { return sets_; }
  size_t prefixes() { return classes_.nodes().size(); }
  size_t transitions() const { return classes_.transitions(); }

 private:
  struct Map {
    PrefixMap4 v4;
    PrefixMap6 v6;
    void set(const base::Prefix& prefix, uint32_t value) {
      is_v4(prefix) ? v4.set(prefix, value) : v6.set(prefix, value);
    }
    void erase(const base::Prefix& prefix) { is_v4(prefix) ? v4.erase(prefix) : v6.erase(prefix); }
    static bool is_v4(const base::Prefix& prefix) { return prefix.family() == base::IPFamily::v4; }
  };
  using Classes = StagedClasses<base::Prefix, Map>;

  Classes::Node node(const base::Prefix& prefix);
  // The longest other prefix around this one that `is_wanted`, or the end.
  Classes::Node around(const base::Prefix& prefix, auto is_wanted);
  uint32_t mapped_around(const base::Prefix& prefix);

  AtomSets sets_;
  Map map_;
  Classes classes_;
  std::array<std::bitset<129>, 2> lengths_;  // of IPv4 and IPv6, that any node has ever had
};

}  // namespace margay::vector
