#pragma once

// What the records of address management are called in the store, as Calico calls them.

#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace margay::ipam {

constexpr std::string_view k_blocks = "ipamblocks.crd.projectcalico.org";
constexpr std::string_view k_affinities = "blockaffinities.crd.projectcalico.org";
constexpr std::string_view k_handles = "ipamhandles.crd.projectcalico.org";
constexpr std::string_view k_configs = "ipamconfigs.crd.projectcalico.org";
constexpr std::string_view k_config_name = "default";

// "10-0-0-0-26" for 10.0.0.0/26, "fd00-10---122" for fd00:10::/122.
std::string block_name(const base::Prefix& block);
// "node1-10-0-0-0-26". One that would be too long for a name is cut, and ends in a hash.
std::string affinity_name(std::string_view host, const base::Prefix& block);
// How the names of all affinities of `host` begin; perhaps those of other hosts too.
std::string affinity_prefix(std::string_view host);

// What a handle may be called. A handle's record keeps the id as it is, but object names have
// neither upper case nor "_", and end in a letter or digit. The first name is Calico's, the id in
// lower case, where that is a name; the second, or only one, ends in a hash of the id, and is for
// when the first is taken by an id that differs in case. So two ids never share a record.
std::vector<std::string> handle_names(std::string_view handle_id);

}  // namespace margay::ipam
