#pragma once

// What the records of address management are called in the store, as Calico calls them.

#include <string>
#include <string_view>

#include "base/address.h"

namespace margay::ipam {

constexpr std::string_view k_blocks = "ipamblocks.crd.projectcalico.org";
constexpr std::string_view k_affinities = "blockaffinities.crd.projectcalico.org";
constexpr std::string_view k_handles = "ipamhandles.crd.projectcalico.org";
constexpr std::string_view k_configs = "ipamconfigs.crd.projectcalico.org";
constexpr std::string_view k_config_name = "default";

// "10-0-0-0-26" for 10.0.0.0/26, "fd00-10---122" for fd00:10::/122.
std::string block_name(const base::Prefix& block);
// "node1-10-0-0-0-26".
std::string affinity_name(std::string_view host, const base::Prefix& block);
// Handles keep their letters in their spec; object names have no upper case.
std::string handle_name(std::string_view handle_id);

}  // namespace margay::ipam
