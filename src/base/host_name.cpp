#include "base/host_name.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace margay::base {

Result<std::string> host_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) return fail_errno("host name", errno);
  std::string name(host.data());
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (name.empty()) return fail(ErrorCode::invalid, "this host has no name");
  return name;
}

}  // namespace margay::base
