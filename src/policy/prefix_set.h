#pragma once

#include <map>
#include <unordered_set>

#include "base/address_hash.h"

namespace margay::policy {

// A set of prefixes that answers whether any of them contains an address. The cost of a question
// grows with the number of different prefix lengths, not of prefixes.
class PrefixSet {
 public:
  void insert(const base::Prefix& prefix) {
    by_length_[{prefix.family(), prefix.length()}].insert(prefix.address());
  }
  bool contains(const base::IPAddress& address) const {
    for (const auto& [kind, networks] : by_length_)
      if (kind.first == address.family() &&
          networks.contains(base::Prefix(address, kind.second).address()))
        return true;
    return false;
  }

 private:
  using Networks = std::unordered_set<base::IPAddress, base::AddressHash>;
  std::map<std::pair<base::IPFamily, unsigned>, Networks> by_length_;
};

}  // namespace margay::policy
