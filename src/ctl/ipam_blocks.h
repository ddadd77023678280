#pragma once

// The blocks of addresses in a store, read for people.

#include <string>
#include <vector>

#include "base/result.h"
#include "ipam/block.h"
#include "store/store.h"

namespace margay::ctl {

// By name. A block that cannot be read is an error: what is in it is not known.
base::Result<std::vector<ipam::Block>> read_blocks(store::Store& store);

// What an allocation's attributes say, empty where they do not.
struct AllocationFacts {
  std::string handle, pod, ns, node, type, timestamp;
};
AllocationFacts facts_of(const api::AllocationAttribute& attribute);

// "Main:<handle> Extra:namespace=shop,pod=web".
std::string attribute_text(const api::AllocationAttribute& attribute);

}  // namespace margay::ctl
