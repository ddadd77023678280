#include "vector/service/source_ranges.h"

#include <algorithm>

namespace margay::vector {

SourceRanges::SourceRanges(std::span<const base::Prefix> prefixes) {
  std::vector<base::Prefix> sorted(prefixes.begin(), prefixes.end());
  std::ranges::sort(sorted);  // by first address; of those with the same the widest first
  for (const auto& each : sorted) append(each.address().is_v4() ? &v4_ : &v6_, each);
}

// Two prefixes overlap only if one contains the other, and the wider one came first.
void SourceRanges::append(std::vector<Range>* ranges, const base::Prefix& prefix) {
  const auto first = address_bytes(prefix.address());
  if (!ranges->empty() && first <= ranges->back().last) return;
  ranges->push_back({first, address_bytes(prefix.last())});
}

bool SourceRanges::contains(const AddressBytes& address, uint8_t family) const {
  const auto& ranges = family == 4 ? v4_ : v6_;
  const auto after = std::ranges::upper_bound(ranges, address, {}, &Range::first);
  return after != ranges.begin() && address <= std::prev(after)->last;
}

}  // namespace margay::vector
