#include "dataplane/linux/marks.h"

#include <fmt/format.h>

#include <bit>

namespace margay::dataplane::linux_host {

base::Result<Marks> Marks::from_mask(uint32_t mask) {
  if (std::popcount(mask) < 2)
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("iptablesMarkMask {:#x}: must have at least two bits", mask));
  const uint32_t accept = mask & (~mask + 1);
  const uint32_t rest = mask & ~accept;
  return Marks{.accept = accept, .pass = rest & (~rest + 1)};
}

}  // namespace margay::dataplane::linux_host
