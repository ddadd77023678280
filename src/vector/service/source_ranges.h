#pragma once

// A set of prefixes, made to be asked for addresses: sorted ranges without overlap. Immutable.

#include <cstdint>
#include <span>
#include <vector>

#include "base/address.h"
#include "vector/service/flow_hash.h"

namespace margay::vector {

class SourceRanges {
 public:
  explicit SourceRanges(std::span<const base::Prefix> prefixes);
  bool contains(const AddressBytes& address, uint8_t family) const;

 private:
  struct Range {
    AddressBytes first, last;
  };
  static void append(std::vector<Range>* ranges, const base::Prefix& prefix);
  std::vector<Range> v4_, v6_;
};

}  // namespace margay::vector
