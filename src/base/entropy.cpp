#include "base/entropy.h"

#include <sys/random.h>

#include <cerrno>
#include <stdexcept>

namespace margay::base {

void fill_random(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0 && errno != EINTR) throw std::runtime_error("no random numbers from the kernel");
    if (got > 0) bytes = bytes.subspan(static_cast<size_t>(got));
  }
}

}  // namespace margay::base
