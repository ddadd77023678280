#pragma once

// IP pools may not overlap: an address must belong to one pool (Calico's IPPool reference,
// spec.cidr).

#include <boost/json/object.hpp>
#include <string_view>

#include "apiserver/parsing_room.h"
#include "apiserver/read_once.h"
#include "base/address.h"
#include "base/result.h"
#include "store/store.h"

namespace margay::apiserver {

// The CIDRs of pools; nothing of one that cannot be read: nobody takes addresses from it.
using KnownPools = ReadOnce<std::optional<base::Prefix>>;

// `invalid`, naming spec.cidr and the other pool, when the pool `name` (defaulted and valid)
// overlaps a stored one of another name. A pool's CIDR never changes, so only creations need it:
// before the write, and again after it, for what another server of the store wrote in between.
base::Result<> check_pool_overlap(store::Store& store, ParsingRoom& room, KnownPools& known,
                                  std::string_view name, const boost::json::object& pool);

}  // namespace margay::apiserver
