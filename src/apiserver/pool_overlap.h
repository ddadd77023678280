#pragma once

// IP pools may not overlap: an address must belong to one pool (Calico's IPPool reference,
// spec.cidr).

#include <boost/json/object.hpp>

#include "base/result.h"
#include "store/store.h"

namespace margay::apiserver {

// `invalid`, naming spec.cidr and the other pool, when `pool` (defaulted and valid) overlaps a
// stored one. A pool's CIDR never changes, so only creations need it; the caller lets one creation
// in at a time.
base::Result<> check_pool_overlap(store::Store& store, const boost::json::object& pool);

}  // namespace margay::apiserver
