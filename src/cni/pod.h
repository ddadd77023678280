#pragma once

// The pod a container is of, as the API server knows it: what its annotations (and its
// namespace's) ask for, and what we write back.

#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "cni/arguments.h"
#include "cni/errors.h"
#include "net/mac_address.h"

namespace margay::store {
class Store;
}

namespace margay::cni {

// Annotations, all under "cni.projectcalico.org/".
struct PodWishes {
  std::vector<std::string> ipv4_pools;  // the pod's, else its namespace's
  std::vector<std::string> ipv6_pools;
  std::vector<base::IPAddress> addresses;          // ipAddrs: these, from the pools
  std::vector<base::IPAddress> addresses_no_ipam;  // ipAddrsNoIpam: these, and nobody is asked
  bool floating_ips = false;
  std::optional<net::MacAddress> mac;  // hwAddr
  std::string container_id;            // of the container that was added last
};

// `pod_unknown` when there is none, or when the one of that name is another (by its UID).
CniResult<PodWishes> read_pod(store::Store& store, const PodIdentity& pod);

// podIP, podIPs and containerID. The pod must be there.
CniResult<> annotate_pod(store::Store& store, const PodIdentity& pod,
                         const std::vector<base::IPAddress>& addresses,
                         const std::string& container_id);
// Empties them, if they are this container's still: they name it, or, where they name none (Calico
// v3.19's own plugin writes no containerID), podIP is one of the addresses that it has. A pod that
// is gone is fine.
CniResult<> clear_pod(store::Store& store, const PodIdentity& pod, const std::string& container_id,
                      const std::vector<base::IPAddress>& addresses);

}  // namespace margay::cni
