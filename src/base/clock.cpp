#include "base/clock.h"

#include <fmt/chrono.h>

namespace margay::base {

std::string to_rfc3339(Clock::Wall time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

}  // namespace margay::base
