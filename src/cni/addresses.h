#pragma once

// Where a container's addresses come from, and go back to: block-based address management in this
// process when ipam.type is "calico-ipam"; for any other type the program of that name in CNI_PATH,
// by the CNI delegation protocol (https://www.cni.dev/docs/spec/#delegated-plugins-ipam).

#include <string>
#include <vector>

#include "base/address.h"
#include "cni/arguments.h"
#include "cni/config.h"
#include "cni/errors.h"
#include "cni/pod.h"

namespace margay::store {
class Store;
}

namespace margay::cni {

inline constexpr std::string_view k_builtin_ipam = "calico-ipam";

// Of the container that `arguments` name. What the handle holds already is given again, so that a
// repeated ADD gets what the first one got.
CniResult<std::vector<base::IPAddress>> assign_addresses(store::Store& store,
                                                         const NetworkConfig& config,
                                                         const Arguments& arguments,
                                                         const std::string& node,
                                                         const PodWishes& wishes);
// Idempotent.
CniResult<> release_addresses(store::Store& store, const NetworkConfig& config,
                              const Arguments& arguments, const std::string& node);
// What the container has from the address management in this process; of another's nothing is
// known.
CniResult<std::vector<base::IPAddress>> addresses_of(store::Store& store,
                                                     const NetworkConfig& config,
                                                     const Arguments& arguments);
// That the addresses are the container's still.
CniResult<> check_addresses(store::Store& store, const NetworkConfig& config,
                            const Arguments& arguments, const std::string& node,
                            const std::vector<base::IPAddress>& addresses);

}  // namespace margay::cni
