#include "dataplane/iptables/marks.h"

#include <fmt/format.h>

#include <bit>

namespace margay::dataplane::iptables {

base::Result<Marks> Marks::from_mask(uint32_t mask) {
  if (std::popcount(mask) < 2)
    return base::fail(base::ErrorCode::invalid,
                      fmt::format("iptablesMarkMask {:#x}: must have at least two bits", mask));
  const uint32_t accept = mask & (~mask + 1);
  const uint32_t rest = mask & ~accept;
  return Marks{.accept = accept, .pass = rest & (~rest + 1)};
}

std::string set_mark(uint32_t bits) {
  return fmt::format("-j MARK --set-xmark {0:#x}/{0:#x}", bits);
}
std::string clear_mark(uint32_t bits) { return fmt::format("-j MARK --set-xmark 0x0/{:#x}", bits); }
std::string has_mark(uint32_t bit) { return fmt::format("-m mark --mark {0:#x}/{0:#x}", bit); }
std::string lacks_mark(uint32_t bit) { return fmt::format("-m mark --mark 0x0/{:#x}", bit); }

}  // namespace margay::dataplane::iptables
