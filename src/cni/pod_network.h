#pragma once

// A pod's place in the kernel: a veth pair between the host (the calling thread's namespace) and
// the container, point to point, as Calico wires it.
//
//   container: addresses /32 and /128; everything routed to 169.254.1.1 and to the host end's
//              link-local address
//   host:      a route to each address; answers ARP for the gateway (proxy_arp); strict reverse
//              path check; forwarding
//
// The pair is made in one step and is down until all else is done. Whatever a crash leaves is a
// pair, and goes with either end, or with the container's namespace.

#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "net/mac_address.h"

namespace margay::net {
class NetworkNamespace;
}

namespace margay::cni {

struct PodNetwork {
  std::string host_interface;
  std::string container_interface;
  std::string container_namespace;  // a path
  std::vector<base::IPAddress> addresses;
  std::vector<base::Prefix> routes;  // what the container sends to its gateway
  uint32_t mtu = 0;                  // 0: the kernel's default
  std::optional<net::MacAddress> container_mac;
  bool allow_ip_forwarding = false;  // in the container

  bool has(base::IPFamily family) const;
};

struct Connected {
  net::MacAddress host_mac;
  net::MacAddress container_mac;
};

// Makes the pair and all around it; one that is there already and right is left alone, any other
// with that host name (of an older container of the pod) is replaced. `not_found` when the
// container's namespace is not there.
base::Result<Connected> connect(const PodNetwork& pod);

// Whether everything connect() makes is there: an error names the first thing that is not.
base::Result<Connected> verify(const PodNetwork& pod);

// Removes the pair, by its end in the container: so an old container's end never takes the pair of
// a newer container of the same pod along. A namespace or an interface that is gone is fine.
base::Result<> disconnect(const std::string& container_namespace,
                          const std::string& container_interface);

}  // namespace margay::cni
