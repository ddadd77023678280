#pragma once

// Kernel parameters under /proc/sys, by path: "net/ipv4/conf/cali123/proxy_arp" (slashes, since
// interface names may have dots). Those of the network are the calling thread's namespace's: use
// NetworkNamespace::run for another one's.

#include <string>
#include <string_view>

#include "base/result.h"

namespace margay::net {

// Without the closing newline. `not_found` when the kernel has no such parameter.
base::Result<std::string> read_sysctl(std::string_view path);
// Writes only when the value differs, so that a read-only /proc/sys that is right already is fine.
base::Result<> write_sysctl(std::string_view path, std::string_view value);

}  // namespace margay::net
