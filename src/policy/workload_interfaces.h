#pragma once

// Which of a node's interfaces are workloads', by their names: those that begin with one of
// Felix's InterfacePrefix. All others are the host's. So nobody who may write workload endpoints
// takes an interface away from the host endpoint that governs it, nor the reverse.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace margay::policy {

struct WorkloadInterfaces {
  std::vector<std::string> prefixes{"cali"};

  bool contains(std::string_view interface) const {
    return std::ranges::any_of(
        prefixes, [&](const std::string& prefix) { return interface.starts_with(prefix); });
  }
  bool operator==(const WorkloadInterfaces&) const = default;
};

}  // namespace margay::policy
