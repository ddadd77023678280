#pragma once

// The names of what is in the kernel: one table for each family, and in it chains and sets under
// their names of linux/names.h, as the nft program can read them: a chain's begins with its layer
// ("filter-cali-FORWARD"), a set's has '-' for ':'.

#include <string>
#include <string_view>

#include "dataplane/linux/names.h"
#include "dataplane/linux/packet_rule.h"

namespace margay::dataplane::nftables {

using namespace linux_host;

inline constexpr const char* k_table = "calico";
// Maps from the name of a workload's interface to its chain.
inline constexpr const char* k_from_workload_map = "cali-fw-dispatch";
inline constexpr const char* k_to_workload_map = "cali-tw-dispatch";
inline constexpr uint32_t k_interface_name_size = 16;  // IFNAMSIZ

inline std::string layer_prefix(Layer layer) {
  switch (layer) {
    case Layer::raw:
      return "raw-";
    case Layer::mangle:
      return "mangle-";
    case Layer::nat:
      return "nat-";
    case Layer::filter:
      break;
  }
  return "filter-";
}

inline std::string kernel_set_name(policy::IPFamily family, std::string_view id) {
  std::string name = set_name(family, id);
  for (char& c : name)
    if (c == ':') c = '-';
  return name;
}

}  // namespace margay::dataplane::nftables
