#pragma once

// Which of a node's interfaces are workloads', by their names: those that begin with one of
// Felix's InterfacePrefix. All others are the host's. So nobody who may write workload endpoints
// takes an interface away from the host endpoint that governs it, nor the reverse. "cali" is always
// among them: so the CNI plugins, ours and Calico's, name what they make, whatever is set.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace margay::policy {

struct WorkloadInterfaces {
  std::vector<std::string> prefixes{std::string(k_prefix)};

  static constexpr std::string_view k_prefix = "cali";
  static WorkloadInterfaces named(std::vector<std::string> prefixes) {
    WorkloadInterfaces named{std::move(prefixes)};
    if (!named.contains(k_prefix)) named.prefixes.emplace_back(k_prefix);
    return named;
  }

  bool contains(std::string_view interface) const {
    return std::ranges::any_of(
        prefixes, [&](const std::string& prefix) { return interface.starts_with(prefix); });
  }
  bool operator==(const WorkloadInterfaces&) const = default;
};

}  // namespace margay::policy
