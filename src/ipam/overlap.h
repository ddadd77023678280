#pragma once

// The blocks that are where another would be: those of its own size, and those of another size,
// which an older pool of the same addresses has left. Found by their names, so that it costs the
// same however many blocks there are.

#include <vector>

#include "api/calico.h"
#include "base/address.h"
#include "base/result.h"
#include "ipam/records.h"

namespace margay::ipam {

base::Result<std::vector<Record<api::IPAMBlock>>> overlapping_blocks(
    const Records<api::IPAMBlock>& blocks, const base::Prefix& cidr);

}  // namespace margay::ipam
