#include "policy/port_ranges.h"

#include <algorithm>

namespace margay::policy {

std::vector<PortRange> merged(std::vector<PortRange> ports) {
  std::ranges::sort(ports);
  std::vector<PortRange> out;
  for (const auto& range : ports) {
    if (range.first > range.last) continue;
    if (!out.empty() && range.first <= uint32_t{out.back().last} + 1) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

}  // namespace margay::policy
