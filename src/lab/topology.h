#pragma once

// The wires of a lab: a namespace for the underlay with a bridge in it, a namespace for each node,
// and a veth between the two (eth0 in the node). Nothing is made in the host's namespace.
//
//        host:  kubectl -> 127.0.0.1:PORT (a socket of the API server)
//    underlay:  bridge `underlay` 172.18.0.1/24 fd00:172:18::1/64, API server's second socket
//       nodeN:  eth0 172.18.0.1N/24, default routes to the underlay

#include "base/result.h"
#include "lab/layout.h"

namespace margay::lab {

// Idempotent: what exists is kept, what a killed run left half made is completed.
base::Result<> ensure_underlay(const Layout& layout);
base::Result<> ensure_node(const Layout& layout, int number);

// Removes every namespace of the lab, with all that is in them. Nothing there is fine. The lab's
// processes must have ended: they would keep namespaces alive.
base::Result<> remove_namespaces(const Layout& layout);

}  // namespace margay::lab
