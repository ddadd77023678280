#pragma once

// Address management by another plugin, a program found in CNI_PATH by the name ipam.type.
//
// It gets our configuration as it came, except that for host-local "usePodCidr" and
// "usePodCidrIPv6" as a subnet become the node's pod CIDRs.

#include <string>
#include <vector>

#include "base/address.h"
#include "cni/arguments.h"
#include "cni/config.h"
#include "cni/errors.h"

namespace margay::store {
class Store;
}

namespace margay::cni {

CniResult<std::vector<base::IPAddress>> delegate_add(store::Store& store,
                                                     const NetworkConfig& config,
                                                     const Arguments& arguments,
                                                     const std::string& node);
CniResult<> delegate_del(store::Store& store, const NetworkConfig& config,
                         const Arguments& arguments, const std::string& node);
CniResult<> delegate_check(store::Store& store, const NetworkConfig& config,
                           const Arguments& arguments, const std::string& node);

}  // namespace margay::cni
